"""Hooks that a project may implement, in a conftest.py or a plugin."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pytest


def pytest_gradcheck_gradients(
    config: pytest.Config,
) -> Iterable[tuple[Callable[..., Any] | str, Callable[..., Any]]]:
    """Return gradients that the project registers in its own way, for ``--gradcheck-cov``.

    One pair ``(function, backward)`` per gradient: the function, or a name, and the Python function that its
    author wrote as the gradient. Called once, after collection, where ``--gradcheck-cov`` is given; those
    whose backward was written in another package are left out. Import every module that registers a gradient:
    a registry contains only those of imported modules. Anything else ends the session with a usage error.
    """
    raise NotImplementedError
