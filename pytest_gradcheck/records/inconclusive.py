"""The verdict of a check over all its examples, if it differs from that of the shown one.

If most examples of a check were inconclusive, the check is inconclusive: most inputs that the test asks about
have not been checked. If at most half were, which kinks and bounds can cause, the others decide. A check
whose function gave the same value in all examples has checked nothing either.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from operator import itemgetter
from typing import Any

from pytest_gradcheck.core.diagnosis import codes

#: As in `record`, which imports this module.
Record = dict[str, Any]

#: Why examples were inconclusive: a diagnosis, their number, and the first of them as a line to paste.
Reason = dict[str, Any]


def merge_reasons(reasons: Iterable[Mapping[str, Any]]) -> list[Reason]:
    """Merge reasons by code: the numbers of examples add up, and the first text stays."""
    merged: dict[str, Reason] = {}
    for reason in reasons:
        known = merged.setdefault(reason["code"], {**reason, "examples": 0})
        known["examples"] += reason["examples"]
    return list(merged.values())


def judged(record: Record) -> Record:
    """Return the record of a passed check with the verdict over all its examples.

    Its ``passed`` keeps what is replaced, for `unjudged`.
    """
    count, examples, reasons = record["inconclusive_examples"], record["examples"], _by_number(record)
    if record["verdict"] != "pass":
        return record
    if 2 * count > examples and reasons:
        most = reasons[0]
        text = f"{count} of {examples} examples were inconclusive, most of them because: {most['text']}"
        return _replaced(record, "inconclusive", most["code"], text, most["reproduce"])
    if is_constant(record):
        why = codes.fixed("constant")
        # A check at one point may be there to show that a gradient is zero. A search has nothing to find.
        return _replaced(record, "inconclusive" if record.get("marked") else "pass", why.code, why.text)
    return record


def is_constant(record: Mapping[str, Any]) -> bool:
    """Whether all conclusive examples of a check gave the same value, near and far."""
    constant: int = record.get("constant_examples", 0)
    conclusive: int = record["examples"] - record["inconclusive_examples"]
    return 0 < constant == conclusive


def _replaced(record: Record, verdict: str, code: str, text: str, reproduce: str = "") -> Record:
    headline = "gradients could not be checked" if verdict == "inconclusive" else "gradients agree"
    lines = [f"{headline}: {record['name']}", f"  diagnosis: {text} [{code}]"]
    return {
        **record,
        "verdict": verdict,
        "diagnosis": {"code": code, "text": text},
        "reproduce": reproduce,
        "message": "\n".join([*lines, *([f"  reproduce: {reproduce}"] if reproduce else [])]),
        "passed": {key: record[key] for key in ("diagnosis", "reproduce", "message")},
    }


def unjudged(record: Record) -> Record:
    """Undo `judged`, so the record can be merged with others."""
    passed = record.get("passed")
    return record if passed is None else {**record, "verdict": "pass", **passed, "passed": None}


def in_words(record: Mapping[str, Any]) -> str:
    """Return ``9 of 100 examples inconclusive: jump 8, kink 1``; empty if none was."""
    count, examples = record["inconclusive_examples"], record["examples"]
    if not count:
        return ""
    reasons = _by_number(record)
    codes = [f"{r['code']} {r['examples']}" if reasons[1:] else r["code"] for r in reasons]
    # Reports of earlier versions have no reasons.
    return f"{count} of {examples} examples inconclusive" + (f": {', '.join(codes)}" if codes else "")


def _by_number(record: Mapping[str, Any]) -> list[Reason]:
    return sorted(record.get("inconclusive_reasons", ()), key=itemgetter("examples"), reverse=True)
