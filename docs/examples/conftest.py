"""Settings of this small project."""

from hypothesis import settings

# A gate in CI should give the same answer twice: the same examples every time, nothing remembered.
settings.register_profile("gate", derandomize=True, database=None)
settings.load_profile("gate")
