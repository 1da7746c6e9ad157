"""Whether a page shows what is printed."""

from __future__ import annotations

import math
import re

NUMBER = re.compile(r"(?<![\w.])-?\d+(?:\.\d+)?(?:e[+-]\d+)?")


def same_text(shown: str, printed: str) -> bool:
    """Compare the words exactly, and numbers as far as another processor gives the same ones."""
    return _same(shown.strip().splitlines(), printed.strip().splitlines())


def shows(shown: str, printed: str) -> bool:
    """Whether all of `shown` was printed, in order; a line ``...`` stands for any number of lines."""
    rest = printed.splitlines()
    for part in re.split(r"^\.\.\.$", shown, flags=re.MULTILINE):
        lines = part.strip("\n").splitlines()
        starts = (n for n in range(len(rest) - len(lines) + 1) if _same(lines, rest[n : n + len(lines)]))
        start = next(starts, None)
        if start is None:
            return False
        rest = rest[start + len(lines) :]
    return True


def _same(lines: list[str], others: list[str]) -> bool:
    return len(lines) == len(others) and all(map(_same_line, lines, others))


def _same_line(a: str, b: str) -> bool:
    # The pasted input must be the one that is printed, to the last digit.
    if "@example" in a or "@example" in b:
        return a == b
    words = [" ".join(NUMBER.sub("#", line).split()) for line in (a, b)]
    if words[0] != words[1]:
        return False
    for left, right in zip(NUMBER.finditer(a), NUMBER.finditer(b), strict=True):
        # An error bar is an estimate of rounding, and rounding differs between processors.
        bar = a[: left.start()].rstrip().endswith("±")
        x, y = float(left[0]), float(right[0])
        if not (0.01 < x / y < 100 if bar and x and y else math.isclose(x, y, rel_tol=1e-2 if bar else 1e-6)):
            return False
    return True
