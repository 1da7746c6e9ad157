"""Count what a passing check goes through: modules, functions, calls and switches of module.

    python -m tests.comparison.footprint            the numbers
    python -m tests.comparison.footprint --list     and every function by module, with its number of calls

The check is ``check_gradients(np.sin, np.array([0.3, 0.7]))`` with its default methods, torch among them,
after two equal checks: what is imported or built at the first one does not count. Counted is the code of
``pytest_gradcheck`` and ``reference_engine`` alone.

- A *function* is written with ``def`` or ``lambda``. A comprehension or a generator expression is a part of
  the function in which it stands, as comprehensions are to Python from 3.12 on.
- Two functions of one qualified name in one module, such as two lambdas in one function, are one.
- A *call* is the start of a function. A generator that goes on is not a call.
- A *module* is a file with a function that is called.
- A *switch* is a call in a different module from the call before it, in the order of time.

The first column follows this definition. The first edition had been measured as 38 modules, 283 functions,
1,201 calls and 595 switches. The definition that comes closest to these counts every comprehension and
generator expression as a function of its own, and is the second column: it gives 39, 297, 1,183 and 600 for
the same code under Python 3.11, and fewer from 3.12 on, which inlines comprehensions.
"""

from __future__ import annotations

import argparse
import itertools
import os
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

# Before NumPy and torch start their threads, as in every measurement here.
for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_variable] = "1"

import pytest_gradcheck  # noqa: E402  after the threads are limited
import reference_engine  # noqa: E402  the same

PACKAGES = tuple(Path(str(package.__file__)).parent for package in (pytest_gradcheck, reference_engine))
ROOT = PACKAGES[0].parent

_PARTS = ("<listcomp>", "<setcomp>", "<dictcomp>", "<genexpr>")


class Call(NamedTuple):
    """The start of a function: its module, as a path from the root, and its qualified name."""

    module: str
    function: str


class Footprint(NamedTuple):
    """What a run went through. ``calls`` are in the order of time."""

    calls: list[Call]

    @property
    def modules(self) -> int:
        """The number of modules with a function that was called."""
        return len({call.module for call in self.calls})

    @property
    def functions(self) -> int:
        """The number of functions that were called."""
        return len(set(self.calls))

    @property
    def switches(self) -> int:
        """The number of calls in a different module from the call before."""
        return sum(a.module != b.module for a, b in itertools.pairwise(self.calls))


def footprint(run: Callable[[], Any], *, parts: bool = False) -> Footprint:
    """Run a function and return what it went through.

    Args:
        run: What to measure. It should have run before, for imports and caches.
        parts: Whether comprehensions and generator expressions count as functions of their own.
    """
    started: dict[FrameType, Call] = {}
    folders = tuple(f"{package}{os.sep}" for package in PACKAGES)

    def note(frame: FrameType, event: str, arg: object) -> None:
        code = frame.f_code
        # A generator that goes on is a call event of a frame that is known already.
        if event != "call" or frame in started or not code.co_filename.startswith(folders):
            return
        if code.co_name != "<module>" and (parts or code.co_name not in _PARTS):
            module = Path(code.co_filename).relative_to(ROOT).as_posix()
            started[frame] = Call(module, code.co_qualname)

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        run()
    finally:
        sys.setprofile(before)
    return Footprint(list(started.values()))


def of_a_check(*, parts: bool = False) -> Footprint:
    """Return what the third check of the sine at two numbers goes through."""
    import numpy as np

    point = np.array([0.3, 0.7])

    def check() -> None:
        result = pytest_gradcheck.check_gradients(np.sin, point)
        assert result.verdict == "pass", str(result)

    check()
    check()
    return footprint(check, parts=parts)


def listed(found: Footprint) -> str:
    """The functions by module, each with its number of calls, in the order of their first call."""
    counts = Counter(found.calls)
    lines = []
    for module in dict.fromkeys(call.module for call in counts):
        of_module = {call.function: count for call, count in counts.items() if call.module == module}
        lines.append(f"{module}: {len(of_module)} functions, {sum(of_module.values())} calls")
        lines += [f"  {count:5}  {function}" for function, count in of_module.items()]
    return "\n".join(lines)


def main(arguments: Sequence[str]) -> int:
    """Print the numbers; the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.comparison.footprint",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--list", action="store_true", help="list every function with its number of calls")
    given = parser.parse_args(arguments)
    found, apart = of_a_check(), of_a_check(parts=True)
    print(f"{'':10} {'check':>7} {'with comprehensions apart':>27}")
    for what in ("modules", "functions", "switches"):
        print(f"{what:10} {getattr(found, what):>7} {getattr(apart, what):>27}")
    print(f"{'calls':10} {len(found.calls):>7} {len(apart.calls):>27}")
    if given.list:
        print(f"\n{listed(found)}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
