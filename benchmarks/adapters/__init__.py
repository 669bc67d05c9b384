"""The measured systems, a program each: `<system>.py` or `<system>.mjs`; see `benchmarks.child`."""
