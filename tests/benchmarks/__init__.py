"""Benchmarks, side by side in one run: `python -m tests.benchmarks engine`.

A module here with a function `run(quick)`, which yields Tables, is a benchmark, called by its module's name.
Its `PACKAGES` are those whose versions the figures depend on.
"""
