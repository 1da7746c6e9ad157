"""Write docs/reference/proofs.md: which operators and primitives have a proven derivative.

    python docs/proofs.py            writes the page
    python docs/proofs.py --check    fails if the page is not what would be written

It encloses the derivatives of torch's and JAX's operators at the first samples of their databases, and
those of the samples that the tests of the engine use. It takes five minutes, most of them JAX's compiler's,
and needs the versions pinned in constraints.txt.
"""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs/reference/proofs.md"
if __name__ == "__main__":
    # In place of docs/, where files would be taken for top-level modules.
    sys.path[0] = str(ROOT)
    # One thread: JAX's compiler takes most of the time.
    os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false")
# What the samples of the tests import.
sys.path.insert(0, str(ROOT / "tests/reference_engine"))

from docs.coverage_page.markdown import table  # noqa: E402  found by the path above
from docs.proofs_page import rows  # noqa: E402  the same
from docs.written import write_or_check  # noqa: E402  the same
from reference_engine.balls import NotProvenError, enclose  # noqa: E402  the same
from reference_engine.containers import flatten  # noqa: E402  the same
from reference_engine.contexts import watched  # noqa: E402  the same
from reference_engine.rules.special import SPECIAL  # noqa: E402  the same
from reference_engine.transforms import vjp_of_arrays  # noqa: E402  the same

INTRODUCTION = """\
<!-- Written by docs/proofs.py, which encloses the samples of the engine's tests: run it after a change. -->

# Which derivatives are proved

[](../explanation/proofs.md) says what that means. A proven entry has a relative radius of at most 1e-28, or
is known to be zero next to the largest one. Written for {versions}.

A proof is of the recording. Next to it stand the gradients of the engine and of the framework along random
cotangents. The engine's agrees within its own error bar: 32 roundings of the largest entry of an input's
gradient, and four times what disturbing every operation, input and cotangent by a rounding makes of it. The
framework's agrees to 1e-9 of the largest entry, or to 16 of these bars.

{torch}

{jax}

## The engine

Of the {primitives} primitives of the engine, of its scipy namespace and of scipy.special that the samples
of its tests run through, {proven} ({share:.0%}) have a proven derivative at one sample at least; of the
{samples} samples {enclosed} are proved whole.

A row counts the samples and points that a primitive takes part in, and how many of them are proved. Where
none is, the reason of the first one stands next to it.
"""


class Case(NamedTuple):
    """A function of arrays at a point."""

    function: Callable[..., Any]
    arrays: list[Any]


class Row(NamedTuple):
    """A primitive: how many cases it takes part in, how many are proved, and why the first is not."""

    cases: int
    proved: int
    reason: str


def case_of(function: Callable[..., Any], args: Sequence[Any], only: int | None = None) -> Case | None:
    """A function at arguments, as one of its floating-point arrays (of one argument, where that is given)."""
    flat, rebuild = flatten(tuple(args))
    kinds = [np.asarray(x).dtype.kind if isinstance(x, float | complex | np.ndarray) else "" for x in flat]
    active = [i for i, kind in enumerate(kinds) if kind in ("f", "c") and only in (None, i)]
    if not active:
        return None

    def f(*tensors: Any) -> Any:
        full = list(flat)
        for i, tensor in zip(active, tensors, strict=True):
            full[i] = tensor
        return flatten(function(*rebuild(full)))[0]

    return Case(f, [np.asarray(flat[i], complex if kinds[i] == "c" else float) for i in active])


def cases() -> Iterator[Case]:
    """The samples of the engine's tables, and the points of scipy.special."""
    from engine_samples import SAMPLES
    from engine_samples_scipy import LINALG
    from engine_samples_scipy import SPECIAL as OF_SCIPY
    from engine_special import KNOWN, ufunc

    registers = (*SAMPLES.values(), *LINALG.values(), *OF_SCIPY.values())
    found = [case_of(function, args) for samples in registers for function, args in samples]
    for name, partials in SPECIAL.items():
        for point in KNOWN[name].points:
            args = [float(x) if type(x) is int else x for x in point]
            found += [
                case_of(ufunc(name), args, i) for i, partial in enumerate(partials) if partial is not None
            ]
    return (case for case in found if case is not None)


def measure() -> tuple[dict[str, Row], int, int]:
    """A row per primitive, how many samples there are, and how many are proved whole."""
    found: dict[str, Row] = {}
    total = whole = 0
    for case in cases():
        names: set[str] = set()
        try:
            with np.errstate(all="ignore"), watched(lambda node, names=names: names.add(node.primitive.name)):
                vjp_of_arrays(case.function, case.arrays)
        except Exception:
            # What the engine itself refuses at this point.
            continue
        total += 1
        reason = ""
        try:
            enclose(case.function, case.arrays, rows.numbers_of(case.arrays))
            whole += 1
        except NotProvenError as refusal:
            reason = str(refusal)
        for name in names - {"pick"}:
            before = found.get(name, Row(0, 0, ""))
            found[name] = Row(before.cases + 1, before.proved + (not reason), before.reason or reason)
    return found, total, whole


def versions() -> str:
    """What the page is written for."""
    names = ("NumPy", "scipy", "python-flint", "torch", "JAX")
    return ", ".join(f"{name} {version(name.lower()).partition('+')[0]}" for name in names)


def page() -> str:
    """The text of the page."""
    # Both frameworks are imported.
    from docs.proofs_page import databases

    torch = [rows.shown(row, "torch") for row in databases.of_torch()]
    jax = [rows.shown(row, "JAX") for row in databases.of_jax()]
    return text(torch, jax)


def text(torch: Sequence[rows.Shown], jax: Sequence[rows.Shown]) -> str:
    """The text of the page around the rows of the two databases."""
    with warnings.catch_warnings():
        # Samples at the edges of domains.
        warnings.simplefilter("ignore")
        found, total, whole = measure()
    proven = sum(row.proved > 0 for row in found.values())
    counts = {"primitives": len(found), "proven": proven, "share": proven / len(found)}
    sections = {
        "torch": "\n".join(rows.section(torch, "torch", "torch's database", "operators")),
        "jax": "\n".join(rows.section(jax, "JAX", "JAX's database", "primitives")),
    }
    head = INTRODUCTION.format(**counts, **sections, samples=total, enclosed=whole, versions=versions())
    lines = [
        [f"`{name}`", str(row.cases), str(row.proved), "" if row.proved else row.reason]
        for name, row in sorted(found.items())
    ]
    return head + "\n" + "\n".join(table(["primitive", "cases", "proved", "why not"], lines)) + "\n"


def main(arguments: Sequence[str]) -> int:
    """Write the page, or compare it with `--check`; the exit status."""
    return write_or_check(arguments, "docs/proofs.py", lambda: {PAGE: page()})


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
