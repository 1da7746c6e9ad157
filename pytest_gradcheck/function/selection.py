"""Which inputs of a call are differentiated, which are constants, and which are refused.

A floating input is differentiated. It is never silently left out: either the caller excludes it, by ``wrt``
or by the framework's own means such as ``requires_grad``, or it is refused by name.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_gradcheck.errors import InvalidArgument
from pytest_gradcheck.frameworks.base import Framework, NotChecked, kind_of
from pytest_gradcheck.frameworks.leaves import holds_floats
from pytest_gradcheck.function.signatures import lies_under

if TYPE_CHECKING:
    from pytest_gradcheck.function.call import Call

#: The most names that a remedy lists.
MOST_NAMES = 6


def select(call: Call, wrt: Any, *, drawn: bool = False) -> tuple[list[int], list[NotChecked]]:
    """Return the positions of the leaves to differentiate, and why others are constants.

    ``wrt`` are names or positions of arguments as in `check_gradients`, None for all that are floating.
    Numbers next to arrays of a framework, such as a step size, are constants unless ``wrt`` names them or the
    inputs were ``drawn`` by a test, which draws what it checks. Raises `InvalidArgument` for any other
    floating leaf that cannot be differentiated, and where none is left.
    """
    wanted = [] if wrt is None else _wanted(call, wrt)
    positions: list[int] = []
    constants: list[NotChecked] = []
    refused: list[int] = []
    reasons = call.framework.why_constants(call.leaves, call.in_module)
    for i, (name, reason) in enumerate(zip(call.names, reasons, strict=True)):
        if wrt is not None and (reason is None or _is_foreign(call, i)):
            left_out = not any(lies_under(name, w) for w in wanted)
            reason = "excluded by wrt" if left_out else reason
        named = drawn or name in wanted
        if reason != "excluded by wrt" and _is_refused(call, i, constant=reason is not None, named=named):
            refused.append(i)
        elif reason is None:
            positions.append(i)
        else:
            constants.append(NotChecked(name, reason))
    if refused:
        raise _refusal(call, refused, positions, drawn=drawn)
    found = ", ".join(f"{n.what} ({n.reason})" for n in constants) or "an empty container"
    if not positions:
        raise InvalidArgument(
            "inputs",
            f"nothing to differentiate with respect to: {found}",
            "give floats, or arrays of a floating dtype",
        )
    for name in wanted:
        if not any(lies_under(call.names[i], name) for i in positions):
            inside = ", ".join(f"{n.what} ({n.reason})" for n in constants if lies_under(n.what, name))
            raise InvalidArgument("wrt", f"{name!r}, which is constant: {inside}", "leave it out")
    return positions, constants


def _wanted(call: Call, wrt: Any) -> list[str]:
    """Return the names that ``wrt`` gives by name or by position."""
    keys, wanted = list(call.arguments), []
    for item in wrt if isinstance(wrt, list | tuple | set | frozenset) else [wrt]:
        if isinstance(item, int) and not isinstance(item, bool) and -len(keys) <= item < len(keys):
            wanted.append(keys[item])
        elif isinstance(item, str) and any(lies_under(name, item) for name in call.names):
            wanted.append(item)
        else:
            known = f"name one of {', '.join(call.names)}, or give an argument's position"
            raise InvalidArgument("wrt", repr(item), known)
    return wanted


def _is_foreign(call: Call, i: int) -> bool:
    """Whether a leaf holds floating numbers and is not the framework's own."""
    return call.owners[i] is not call.framework and holds_floats(call.leaves[i], call.owners[i])


def _is_refused(call: Call, i: int, *, constant: bool, named: bool) -> bool:
    """Whether a leaf should be differentiated and cannot be."""
    if not constant:
        return call.framework.why_not_perturbed(call.leaves[i]) is not None
    is_number = isinstance(call.leaves[i], float | complex | np.generic)
    return _is_foreign(call, i) and (named or not is_number)


def _refusal(call: Call, refused: Sequence[int], positions: Sequence[int], *, drawn: bool) -> InvalidArgument:
    leaf, owner, framework = call.leaves[refused[0]], call.owners[refused[0]], call.framework
    those = f"{framework.name} {framework.plural}" if framework.name != "numpy" else "NumPy arrays"
    if owner is framework:
        got = f"{framework.why_not_perturbed(leaf)}, whose entries cannot be moved one by one"
        remedy = "pass its values as a dense array and make it from them inside the function"
    else:
        dtype = f" of dtype {leaf.dtype}" if owner is None else ""
        kind = "a NumPy array" if isinstance(leaf, np.ndarray) else kind_of(leaf)
        got = f"{kind}{dtype} next to {those}, which is not differentiated"
        remedy = f"draw it with {_strategy(framework, leaf)}" if drawn else f"make it one of the {those}"
        if owner is None:
            remedy = f"pass {those} and make it from them inside the function"
    if positions:
        kept = _arguments(call, positions, {call.names[i] for i in refused})
        names = repr(kept) if len(kept) <= MOST_NAMES else "[...]"
        remedy += f", or leave it out: wrt={names}"
    return InvalidArgument(call.names[refused[0]], got, remedy)


def _strategy(framework: Framework, leaf: Any) -> str:
    shape = "..." if np.shape(leaf) else "()"
    # Where the plural is that of NumPy too, the strategy needs the name of the library.
    own = framework.plural == "tensors"
    return f"tensors({shape})" if own else f"arrays({shape}, library={framework.name!r})"


def _arguments(call: Call, positions: Sequence[int], refused: set[str]) -> list[str]:
    """Return the shortest names that lead to these leaves and to no refused one."""
    kept: dict[str, None] = {}
    for name in (call.names[i] for i in positions):
        whole = next((key for key in call.arguments if lies_under(name, key)), name)
        kept[name if any(lies_under(other, whole) for other in refused) else whole] = None
    return list(kept)
