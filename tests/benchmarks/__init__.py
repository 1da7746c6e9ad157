"""Benchmarks, side by side in one run: `python -m tests.benchmarks engine`.

Every module here that has `run(quick) -> list[Table]` is one benchmark, called by the module's name.
"""
