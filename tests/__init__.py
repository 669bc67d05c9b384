"""The tests of toril."""
