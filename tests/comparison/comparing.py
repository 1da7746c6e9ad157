"""Two recordings compared: what differs, by field, and how the times compare."""

from __future__ import annotations

import re
import statistics
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

__all__ = ["HELD", "Difference", "compared", "differences"]

Recording = Mapping[str, Any]

HELD = ("error", "verdict", "culprit", "code", "labels")
"""What has to be the same: a difference in another field is printed and excused."""

TIMES = ("cpu",)
"""Fields that differ between two runs of the same code, and are compared as times."""

SHORTEST = 1e-3
"""Checks of less CPU time, in seconds, are left out of the median, as their times are mostly noise."""

_NUMBER = re.compile(r"(?<![\w.])-?\d+(?:\.\d*)?(?:e[+-]?\d+)?(?![\w])")


class Difference(NamedTuple):
    """One field of one check that is not the same. ``numbers``: the words are the same, numbers differ."""

    check: str
    field: str
    before: Any
    after: Any
    numbers: bool


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Difference]:
    """Return every difference between two sets of checks by id, of the checks that both have."""
    found = []
    for name in (name for name in before if name in after):
        old, new = before[name], after[name]
        for field in dict.fromkeys([*old, *new]):
            if field not in TIMES and old.get(field) != new.get(field):
                numbers = field in old and field in new and _same_words(old[field], new[field])
                found.append(Difference(name, field, old.get(field), new.get(field), numbers))
    return found


def compared(before: Sequence[Recording], after: Sequence[Recording]) -> tuple[str, bool]:
    """Return what a person reads, and whether all that is held is the same.

    Args:
        before: Recordings of one tree. The first is compared, all of them give times.
        after: The same of the other tree.
    """
    parts = [name for name in before[0] if name in after[0]]
    left_out = sorted(set(before[0]) ^ set(after[0]))
    old, new = _checks(before[0], parts), _checks(after[0], parts)
    found = differences(old, new)
    gone = [name for name in old if name not in new]
    added = [name for name in new if name not in old]
    lines = list(_listed(found))
    lines += [f"== only before: {len(gone)}", *(f"  {name}" for name in gone), ""] if gone else []
    lines += [f"== only after: {len(added)}", *(f"  {name}" for name in added), ""] if added else []
    lines += _summary(old, new, found)
    lines += ["", *_times(before, after, parts)]
    if left_out:
        lines.append(f"not compared, recorded on one side alone: {', '.join(left_out)}")
    return "\n".join(lines), not gone and not any(d.field in HELD for d in found)


def _checks(recording: Recording, parts: Sequence[str]) -> dict[str, Any]:
    return {f"{part}: {name}": each for part in parts for name, each in recording[part]["checks"].items()}


def _listed(found: Sequence[Difference]) -> Iterator[str]:
    """The differences by field, those that are held first."""
    fields = dict.fromkeys(d.field for d in found)
    for field in [*(f for f in HELD if f in fields), *(f for f in fields if f not in HELD)]:
        for numbers, what in ((False, field), (True, f"{field}, in its numbers alone")):
            those = [d for d in found if (d.field, d.numbers) == (field, numbers)]
            if those:
                yield f"== {what}: {len(those)}"
                for d in those:
                    yield f"  {d.check}"
                    yield from _both(d.before, d.after)
                yield ""


def _both(before: Any, after: Any) -> Iterator[str]:
    """The lines, items or values that only one side has."""
    old, new = _pieces(before), _pieces(after)
    yield from (f"    - {piece}" for piece in old if piece not in new)
    yield from (f"    + {piece}" for piece in new if piece not in old)
    if sorted(old) == sorted(new):
        yield "    (in another order)"


def _pieces(value: Any) -> list[str]:
    if isinstance(value, str):
        return value.splitlines() or [""]
    if isinstance(value, list):
        return list(map(str, value)) or ["(none)"]
    if isinstance(value, dict):
        return [f"{key}: {each}" for key, each in value.items()]
    return [str(value)]


def _same_words(old: Any, new: Any) -> bool:
    return _NUMBER.sub("#", str(old)) == _NUMBER.sub("#", str(new))


def _summary(old: Mapping[str, Any], new: Mapping[str, Any], found: Sequence[Difference]) -> list[str]:
    both = [name for name in old if name in new]
    fields = dict.fromkeys(field for name in both for field in old[name] if field not in TIMES)
    differ = Counter((d.field, d.numbers) for d in found)
    lines = [f"checks before {len(old)}, after {len(new)}, in both {len(both)}", ""]
    lines.append(f"{'field':<22} {'the same':>16} {'other numbers':>14} {'otherwise':>10}")
    for field in [*HELD, *(f for f in fields if f not in HELD)]:
        have = sum(field in old[name] or field in new[name] for name in both)
        numbers, words = differ[field, True], differ[field, False]
        same = f"{have - numbers - words} of {have}"
        lines.append(f"{field:<22} {same:>16} {numbers or '':>14} {words or '':>10}")
    return lines


def _times(before: Sequence[Recording], after: Sequence[Recording], parts: Sequence[str]) -> list[str]:
    """CPU times by part: of whole parts, and of single checks where these were timed."""
    lines = [
        f"{'CPU time':<16} {'before, s':>10} {'after, s':>10} {'ratio':>7} "
        f"{'of checks, s':>13} {'after, s':>10} {'ratio':>7} {'median ratio':>13}"
    ]
    whole, single, ratios = [0.0, 0.0], [0.0, 0.0], []
    for part in parts:
        sides = [min(r[part]["cpu"] for r in side if part in r) for side in (before, after)]
        pairs = _timed(before, after, part)
        sums = [sum(old for old, _ in pairs), sum(new for _, new in pairs)]
        own = [new / old for old, new in pairs if old >= SHORTEST]
        lines.append(_row(part, sides, sums, own))
        whole = [a + b for a, b in zip(whole, sides, strict=True)]
        single = [a + b for a, b in zip(single, sums, strict=True)]
        ratios += own
    return [*lines, _row("all", whole, single, ratios)]


def _timed(before: Sequence[Recording], after: Sequence[Recording], part: str) -> list[tuple[float, float]]:
    """The least CPU times of every check that is timed on both sides."""
    sides = [[r[part]["checks"] for r in side if part in r] for side in (before, after)]
    pairs = []
    for name in sides[0][0]:
        times = [[r[name]["cpu"] for r in side if name in r] for side in sides]
        if all(side and None not in side for side in times):
            pairs.append((min(times[0]), min(times[1])))
    return pairs


def _row(name: str, whole: Sequence[float], single: Sequence[float], ratios: Sequence[float]) -> str:
    def ratio(of: Sequence[float]) -> str:
        return f"{of[1] / of[0]:.3f}" if of[0] else ""

    median = f"{statistics.median(ratios):.3f}" if ratios else ""
    return (
        f"{name:<16} {whole[0]:>10.1f} {whole[1]:>10.1f} {ratio(whole):>7} "
        f"{single[0]:>13.2f} {single[1]:>10.2f} {ratio(single):>7} {median:>13}"
    )
