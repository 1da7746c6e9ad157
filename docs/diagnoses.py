"""Write docs/reference/diagnoses.md: faults put into backwards on purpose, and what the check says of each.

python docs/diagnoses.py            writes the page
python docs/diagnoses.py --check    fails if the page is not what would be written
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs/reference/diagnoses.md"
if __name__ == "__main__":
    # In place of docs/, as in coverage.py.
    sys.path[0] = str(ROOT)

from docs.diagnoses_page.faults import BY_HAND, CAUSES, ORACLES, PROPERTIES, RAISES, SECOND, VALUES, Fault  # noqa: E402  found by the path above
from docs.diagnoses_page.forms import FORMS  # noqa: E402  as above
from docs.written import write_or_check  # noqa: E402  as above
from pytest_gradcheck import check_gradients  # noqa: E402  as above

INTRODUCTION = """\
<!-- Written by docs/diagnoses.py: change that, and run it again. -->

# Faults and their diagnoses

Each line is a backward that is wrong on purpose, with the code of the diagnosis that a check gives it. The
codes are stable. Every one of these checks fails, and names as the culprit whose gradient is wrong: `torch`,
or `user` where it was written by hand, and no method where the function itself is wrong. The script that
writes this page runs them all.
"""

SECTIONS = (
    ("Wrong values", "What the numbers themselves show.", VALUES),
    (
        "Wrong values, and why",
        "What the numbers show together with the function's code, other points or other precisions.",
        CAUSES,
    ),
    (
        "Gradients written by hand",
        "The same of `gradient=` and `vjp=`, of NumPy code here.",
        BY_HAND,
    ),
    (
        "Jacobians, Hessians and adjoints",
        "The same of `jacobian=`, `jvp=`, `hessian=` and `hvp=`, and of linear operators. The text begins "
        "with the name of the form.",
        FORMS,
    ),
    (
        "The second order",
        "What shows with `order=2`, where the first is right.",
        SECOND,
    ),
    (
        "Wrong values of the function",
        "What an `oracle=` shows: the function computes something else, and its gradient may fit that.",
        ORACLES,
    ),
    ("Backwards that raise", "What torch's exceptions mean.", RAISES),
    (
        "Right values, and wrong all the same",
        "What shows only in some ways to call a function or its backward. Each is a property in the result.",
        PROPERTIES,
    ),
)


def line(fault: Fault) -> str:
    """One line of a table, from a check."""
    result = check_gradients(fault.function, fault.inputs, order=fault.order, **fault.by_hand)
    return f"| {fault.what} | `{result.diagnosis.code}` | {result.verdict} | {result.culprit} |"


def page() -> str:
    """The text of the page."""
    parts = [INTRODUCTION]
    for title, text, faults in SECTIONS:
        head = [
            f"## {title}",
            "",
            text,
            "",
            "| what is wrong | code | verdict | culprit |",
            "| --- | --- | --- | --- |",
        ]
        parts.append("\n".join([*head, *map(line, faults)]) + "\n")
    return "\n".join(parts)


def main(arguments: Sequence[str]) -> int:
    """Write the page, or compare it with `--check`; the exit status."""
    return write_or_check(arguments, "docs/diagnoses.py", lambda: {PAGE: page()})


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
