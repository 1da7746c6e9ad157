"""Each planted fault as a marked test, and the same function with its right gradient; run by path."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

from docs.search_page.planted import PLANTED, Planted


def marked(planted: Planted, right: bool) -> Any:
    """Return a test of a planted fault, given only shapes, dtypes and bounds."""

    def test(*point: Any) -> Any:
        return (planted.plain if right else planted.function)(*point)

    parameter = inspect.Parameter
    test.__signature__ = inspect.Signature(  # type: ignore[attr-defined]  # inspect reads it
        [parameter(name, parameter.POSITIONAL_OR_KEYWORD) for name in planted.inputs]
    )
    test.__name__ = test.__qualname__ = f"test_{planted.name}_{'right' if right else 'wrong'}"
    gradient = planted.right if right else planted.gradient
    options = {} if planted.gradient is None else {"gradient": gradient}
    inputs = {name: given.of(planted.library) for name, given in planted.inputs.items()}
    return pytest.mark.gradcheck(inputs=inputs, **options)(test)


for planted in PLANTED:
    for right in (False, True):
        made = marked(planted, right)
        globals()[made.__name__] = made
