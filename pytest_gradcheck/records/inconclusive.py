"""The examples of a check that reached no verdict: how many, why, and what they make of the check.

A check most of whose examples were inconclusive is inconclusive, whatever became of the rest: nine of ten
inputs that the test asks about have not been checked. With half of them or fewer, which kinks and bounds can
bring about, the rest decides.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from operator import itemgetter
from typing import Any

#: Why examples were inconclusive: a diagnosis, how many had it, and the first of them as a line to paste.
Reason = dict[str, Any]


def merge_reasons(reasons: Iterable[Mapping[str, Any]]) -> list[Reason]:
    """Return each reason once, by its code, with the examples of all; the first one's words stand."""
    merged: dict[str, Reason] = {}
    for reason in reasons:
        known = merged.setdefault(reason["code"], {**reason, "examples": 0})
        known["examples"] += reason["examples"]
    return list(merged.values())


def judged(record: dict[str, Any]) -> dict[str, Any]:
    """Return the record of a check that passed, as inconclusive if most of its examples were.

    Its ``passed`` keeps what is replaced, for `unjudged`.
    """
    count, examples, reasons = record["inconclusive_examples"], record["examples"], _by_number(record)
    if record["verdict"] != "pass" or 2 * count <= examples or not reasons:
        return record
    most = reasons[0]
    text = f"{count} of {examples} examples were inconclusive, most of them because: {most['text']}"
    lines = [f"gradients could not be checked: {record['name']}", f"  diagnosis: {text} [{most['code']}]"]
    if most["reproduce"]:
        lines.append(f"  reproduce: {most['reproduce']}")
    return {
        **record,
        "verdict": "inconclusive",
        "diagnosis": {"code": most["code"], "text": text},
        "reproduce": most["reproduce"],
        "message": "\n".join(lines),
        "passed": {key: record[key] for key in ("diagnosis", "reproduce", "message")},
    }


def unjudged(record: dict[str, Any]) -> dict[str, Any]:
    """Return the record as it was before `judged`, to be merged with others."""
    passed = record.get("passed")
    return record if passed is None else {**record, "verdict": "pass", **passed, "passed": None}


def in_words(record: Mapping[str, Any]) -> str:
    """Return ``9 of 100 examples inconclusive: jump 8, kink 1``; nothing if none was."""
    count, examples = record["inconclusive_examples"], record["examples"]
    if not count:
        return ""
    reasons = _by_number(record)
    codes = [f"{r['code']} {r['examples']}" if reasons[1:] else r["code"] for r in reasons]
    # Reports of earlier versions have no reasons.
    return f"{count} of {examples} examples inconclusive" + (f": {', '.join(codes)}" if codes else "")


def _by_number(record: Mapping[str, Any]) -> list[Reason]:
    return sorted(record.get("inconclusive_reasons", ()), key=itemgetter("examples"), reverse=True)
