"""Measuring toril beside other systems; `python -m benchmarks.run --help`."""
