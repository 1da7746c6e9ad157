"""The properties of a gradient besides its values: their names, and which of them a check tries.

The plugin reads this file when pytest starts, so it imports nothing heavy.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from pytest_gradcheck.errors import InvalidArgument, suggestion

#: The description of a linear backward.
LINEAR: Final = "scaling the cotangent by -2 scales the gradient by -2"

#: By name: the description of a gradient with the property.
HOLDS: Final = {
    "inputs-unchanged": "inputs are not modified in place without mark_dirty",
    "outputs-in-graph": "every output has a backward",
    "gradients-fit": "one gradient per input, of its shape, dtype and device",
    "initialised-memory": "every entry of the gradient was written before it was returned",
    "repeatable-backward": "a second backward gives the same gradient",
    "cotangents-unchanged": "the backward does not modify its cotangents",
    "non-contiguous-inputs": "the same values and gradients for non-contiguous inputs",
    "expanded-inputs": "the same values and gradients for expanded inputs",
    "conjugated-inputs": "the same values and gradients for inputs marked as conjugated",
    "non-contiguous-cotangents": "the same gradients for non-contiguous cotangents",
    "expanded-cotangents": "the same gradients for expanded cotangents",
    "conjugated-cotangents": "the same gradients for cotangents marked as conjugated",
    "undefined-cotangents": "an output without a cotangent counts as having a zero one",
    "linear-backward": LINEAR,
    "frozen-inputs": "the same gradients when only one input requires grad",
    "accumulates": "two backward passes add up to twice the gradient in .grad",
    "zero-size-inputs": "the backward accepts zero-size inputs",
    "twice-differentiable": "the backward has a derivative",
    "batched-cotangents": "batched cotangents match one-at-a-time results",
    "primal": "the forward rule returns the function's value",
    "leaked-tracers": "no rule leaks a traced value",
    "compiled": "the same values and gradients under jit",
    "vmap": "vmap matches single calls",
    "forward-mode": "the jvp matches the backward",
}


@dataclass(frozen=True)
class Selection:
    """The properties that a check tries: ``names``, of which the user named those ``by_name``.

    A trial that could do harm for some functions runs for those only if its property is among ``by_name``.
    """

    names: frozenset[str]
    by_name: frozenset[str] = frozenset()

    def __contains__(self, name: str) -> bool:
        return name in self.names


#: What is tried unless the user selects.
DEFAULT: Final = Selection(frozenset(HOLDS))


def selected(value: str | Iterable[str], where: str = "properties") -> Selection:
    """Return the selection that an option stands for.

    Args:
        value: ``"default"``, ``"none"``, or names. Names stand for these properties alone; with ``"-"`` in
            front for all but these; next to ``"default"`` for these as well.
        where: the option, flag or ini key, for the error.

    Raises:
        InvalidArgument: a name that does not exist, or names that contradict each other.
    """
    if isinstance(value, str) and value not in ("default", "none"):
        if value.removeprefix("-") in HOLDS:
            raise InvalidArgument(where, repr(value), f"give a tuple of names: ({value!r},)")
        near = suggestion(value.removeprefix("-"), HOLDS, "the properties are")
        raise InvalidArgument(where, repr(value), f"give 'default', 'none' or a tuple of names; {near}")
    items = (value,) if isinstance(value, str) else tuple(value)
    left_out = {item.removeprefix("-") for item in items if str(item).startswith("-")}
    words, by_name = {"default", "none"} & set(items), set(items) - {"default", "none"}
    by_name = {item for item in by_name if not str(item).startswith("-")}
    for name in sorted(by_name | left_out, key=str):
        if name not in HOLDS:
            raise InvalidArgument(where, repr(name), suggestion(str(name), HOLDS, "the properties are"))
    if "none" in words and len(set(items)) > 1:
        raise InvalidArgument(where, "'none' next to other names", "leave out 'none', or the names")
    if by_name and left_out and "default" not in words:
        name, other = min(by_name), f"-{min(left_out)}"
        raise InvalidArgument(
            where, f"{name!r} next to {other!r}", f"add 'default' for all but {other[1:]}, or drop {other!r}"
        )
    whole = "default" in words or bool(left_out)
    names = (DEFAULT.names if whole else frozenset()) | by_name
    return Selection(frozenset(names - left_out), frozenset(by_name - left_out))
