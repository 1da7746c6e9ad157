"""The tables of rules, one per family of primitives, put together."""

from pytest_gradcheck.frameworks.jax.lowering.rules import (
    control,
    elementwise,
    index,
    linalg,
    reduce,
    shape,
    special,
    window,
)
from pytest_gradcheck.frameworks.jax.lowering.tools import Rules

RULES: Rules = {
    **elementwise.RULES,
    **special.RULES,
    **shape.RULES,
    **index.RULES,
    **reduce.RULES,
    **window.RULES,
    **linalg.RULES,
    **control.RULES,
}
