"""Settings of this example project."""

from hypothesis import settings

# A gate in CI should be reproducible: use the same examples in every run, and no database.
settings.register_profile("gate", derandomize=True, database=None)
settings.load_profile("gate")
