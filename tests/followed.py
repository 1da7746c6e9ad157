"""The profile of Hypothesis with which the pages are followed, in this process or as a plugin in another one.

Few examples, and the same ones in every run: what is held there is the page.
"""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("followed", max_examples=10, derandomize=True, database=None, deadline=None)
