"""Properties of a test in pytest's JUnit XML: the verdicts of its checks."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from pytest_gradcheck.records.inconclusive import in_words
from pytest_gradcheck.records.record import margin

_ALLOWED = "\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff"


def properties(records: Sequence[Mapping[str, Any]]) -> list[tuple[str, object]]:
    """Return the results of one test's checks as its properties: ``gradcheck.verdict`` and so on.

    If a test runs several checks, the name of the function follows in brackets.
    """
    listed: list[tuple[str, object]] = []
    for record in records:
        # pytest escapes values for XML 1.0 (2.2), but not names.
        name = re.sub(f"[^{_ALLOWED}]", lambda sign: f"#x{ord(sign[0]):02X}", record["name"])
        of = f"[{name}]" if len(records) > 1 else ""
        values = {
            "verdict": record["verdict"],
            "culprit": record["culprit"],
            "diagnosis": record["diagnosis"]["code"],
            "margin": f"{margin(record):.3g}" if record["worst"] is not None else None,
            "examples": record["examples"],
            "inconclusive": in_words(record) or None,
        }
        listed += [(f"gradcheck.{key}{of}", value) for key, value in values.items() if value is not None]
    return listed
