"""The rows of the page on proofs, as text and from text."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from docs.coverage_page.markdown import table

__all__ = ["EXPLAINED", "FRAMEWORK", "Row", "Shown", "numbers_of", "rows_of", "section", "shown"]

FRAMEWORK = 1e-9
"""A framework's gradient agrees with a proven one to so much of the largest entry of an input's gradient."""

NARROW = "it rounds to a narrow dtype, which the recording takes as the identity"

EXPLAINED: dict[str, dict[str, str]] = {
    "torch": {
        "as_strided_scatter": "torch gives what was overwritten a gradient, and what was kept none",
        "nn.functional.hardsigmoid": "the 1/6 in torch's backward is a number in float32",
        "nn.functional.max_unpool3d": "of several values for one place the last one stays; torch gives "
        "all of them a gradient",
    },
    "JAX": {
        "bitcast_convert_type": "JAX's derivative is zero, of the identity too",
        "convert_element_type": NARROW,
        "digamma": "JAX's derivative is off by 3e-6 of it at -7.659",
        "reduce_precision": NARROW,
        "stop_gradient": "JAX's derivative is zero, as it is supposed to be",
    },
}
"""Why a framework's gradient is not the proven one, by name. The engine's is, in all of them."""


def numbers_of(arrays: Sequence[Any]) -> list[Any]:
    """The numbers of the entries; see `enclose`."""
    indices, n = [], 0
    for array in arrays:
        step = 2 if np.iscomplexobj(array) else 1
        at = np.arange(n, n + step * array.size, step).reshape(array.shape)
        indices.append(at + 1j * (at + 1) if step == 2 else at)
        n += step * array.size
    return indices


class Row(NamedTuple):
    """An operator at its first sample.

    ``entries`` are the numbers that it is differentiated with respect to, ``bits`` the precision that its
    proof took (0 without one), ``off`` by how many of its own bars the engine is off at most, and ``apart``
    by which share of the largest entry the framework is. ``why`` there is no proof; empty if there is one.
    """

    name: str
    entries: int
    bits: int
    off: float
    apart: float
    why: str

    @property
    def on_engine(self) -> bool:
        """Whether the operator runs on the engine at its first sample."""
        return self.entries > 0


class Shown(NamedTuple):
    """A row of the page; its cells say yes, no, agrees, differs or nothing."""

    name: str
    entries: str
    proved: str
    engine: str
    framework: str
    why: str


def shown(row: Row, framework: str) -> Shown:
    """A row as the page has it.

    Errors: ValueError for a disagreement that is not explained, and for an explanation without one.
    """
    why = row.why
    differs = row.apart > FRAMEWORK
    if row.off > 1:
        raise ValueError(f"{framework}, {row.name}: the engine is off by {row.off:.2g} of its own bars")
    if differs != (row.name in EXPLAINED[framework]):
        raise ValueError(f"{framework}, {row.name}: EXPLAINED and what is seen ({row.apart:.2g}) do not fit")
    if differs:
        why = EXPLAINED[framework][row.name]
    cells = ("yes", "agrees", "differs" if differs else "agrees") if row.bits else ("no", "", "")
    return Shown(row.name, str(row.entries) if row.on_engine else "-", *cells, why)


_ROW = re.compile(
    r"^\| `(?P<name>[^`]+)` \| (\d+|-) \| (yes|no) \| (\w*) ?\| (\w*) ?\| (.*?) ?\|$", re.MULTILINE
)


def rows_of(text: str, framework: str) -> list[Shown]:
    """The rows of one framework that a page has."""
    _, _, rest = text.partition(f"\n## {framework}")
    part = rest.partition("\n## ")[0]
    return [Shown(*match.groups()) for match in _ROW.finditer(part)]


def section(rows: Sequence[Shown], framework: str, database: str, unit: str) -> Iterator[str]:
    """The lines of the section on one framework."""
    on = [row for row in rows if row.entries != "-"]
    proved = [row for row in on if row.proved == "yes"]
    apart = [row for row in proved if row.framework == "differs"]
    yield f"## {framework}"
    yield ""
    yield f"{database} has {len(rows)} {unit} with a derivative in float64 at their first sample."
    share = f"{len(proved) / len(on):.1%}"
    yield f"{len(on)} of them run on the engine there, and {len(proved)} of those ({share})"
    yield "have a proven derivative with respect to every entry of every input. The engine agrees with all of"
    yield f"these, and {framework} with all but {len(apart)}."
    yield ""
    yield from table(
        ["name", "entries", "proved", "engine", framework, "why"], [[f"`{r.name}`", *r[1:]] for r in rows]
    )
