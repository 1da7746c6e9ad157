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

Each row is a backward that is wrong on purpose, and the diagnosis code that a check reports for it. The
codes are stable. Every check fails and names the culprit: `torch` for autograd's gradient, `user` for a
gradient passed to the check, and none if the function itself is wrong. The script that writes this page
runs all checks.
"""

SECTIONS = (
    ("Wrong values", "Visible in the values of the gradient.", VALUES),
    (
        "Wrong values with a known cause",
        "Found from the values together with the function's code, other points or other precisions.",
        CAUSES,
    ),
    (
        "Gradients written by hand",
        "The same for `gradient=` and `vjp=`, here for NumPy code.",
        BY_HAND,
    ),
    (
        "Jacobians, Hessians and adjoints",
        "The same for `jacobian=`, `jvp=`, `hessian=` and `hvp=`, and for linear operators. The message "
        "begins with the name of the argument.",
        FORMS,
    ),
    (
        "Second order",
        "Visible with `order=2` only. The first derivative is correct.",
        SECOND,
    ),
    (
        "Wrong values of the function",
        "Visible with an `oracle=`: the function has a wrong value. Its gradient may fit that value.",
        ORACLES,
    ),
    ("Backwards that raise", "The code names the cause of torch's exception.", RAISES),
    (
        "Correct values, but a violated property",
        "Visible only in some ways of calling the function or its backward. The result lists each property.",
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
