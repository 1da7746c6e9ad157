"""Whether a page shows what is printed."""

from __future__ import annotations

import math
import re

NUMBER = re.compile(r"(?<![\w.])-?\d+(?:\.\d+)?(?:e[+-]\d+)?")
BAR = re.compile(rf"± ({NUMBER.pattern})")


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
    if len(lines) != len(others):
        return False
    bars = 0.0
    for a, b in zip(lines, others, strict=True):
        if not _same_line(a, b, bars):
            return False
        bars += sum(float(bar) for line in (a, b) for bar in BAR.findall(line))
    return True


def _same_line(a: str, b: str, bars: float) -> bool:
    """Compare two lines that follow on lines with error bars of this sum."""
    # The pasted input must be the one that is printed, to the last digit.
    if "@example" in a or "@example" in b:
        return a == b
    words = [" ".join(NUMBER.sub("#", line).split()) for line in (a, b)]
    if words[0] != words[1]:
        return False
    return all(
        _same_number(a[: left.start()].rstrip(), float(left[0]), float(right[0]), bars)
        for left, right in zip(NUMBER.finditer(a), NUMBER.finditer(b), strict=True)
    )


def _same_number(before: str, x: float, y: float, bars: float) -> bool:
    """Compare two numbers after the same words."""
    # An error bar is an estimate of rounding, and rounding differs between processors.
    if before.endswith("±"):
        return 0.01 < x / y < 100 if x and y else math.isclose(x, y, rel_tol=1e-2)
    # Printed with three digits, the last of which may be rounded the other way.
    digit = min(_third_digit(x), _third_digit(y))
    if before.endswith("difference"):
        return abs(x - y) <= digit
    # The tolerance has three times the error bars in it.
    if before.endswith("allowed"):
        return abs(x - y) <= digit + 3 * bars
    return math.isclose(x, y, rel_tol=1e-6)


def _third_digit(x: float) -> float:
    """Return one unit of the third significant digit, and a little for decimals that are not exact."""
    return 1.0000001 * 10.0 ** (int(f"{x:.2e}".partition("e")[2]) - 2)
