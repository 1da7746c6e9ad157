"""The report as SARIF 2.1.0 (OASIS), the format of code scanning services.

A check that failed or is inconclusive is a result, with the place of its test. A passed check is not a
result, because services show every result as something to fix; ``run.properties.verdicts`` has the verdict of
every check.
"""

from __future__ import annotations

import hashlib
import json
import urllib.parse
from collections.abc import Mapping
from typing import Any

from pytest_gradcheck.records.record import Record, margin, plain_data
from pytest_gradcheck.reports.ranking import standing, worst_first

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"

#: SARIF's ``%SRCROOT%``: what relative paths start at, pytest's rootdir.
ROOT = "SRCROOT"

#: SARIF 3.27.9 and 3.27.10: only a ``fail`` has a level other than ``none``.
_KINDS = {"fail": ("fail", "error"), "xfail": ("fail", "error"), "inconclusive": ("open", "none")}

_EXAMPLES = ("examples", "inconclusive_examples", "inconclusive_reasons")


def render(report: Mapping[str, Any]) -> str:
    """Return the report as a SARIF log of one run."""
    checks = worst_first(report["checks"])
    results = [check for check in checks if standing(check) in _KINDS]
    codes = sorted({check["diagnosis"]["code"] for check in results})
    driver = {
        "name": "pytest-gradcheck",
        "version": report["environment"]["packages"].get("pytest-gradcheck", "unknown"),
        "rules": [{"id": code, "shortDescription": {"text": code.replace("-", " ")}} for code in codes],
    }
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "results": [_result(check, codes.index(check["diagnosis"]["code"])) for check in results],
        "properties": {
            "summary": report["summary"],
            "gate": list(report.get("gate", ())),
            "coverage": report.get("coverage") or {},
            "verdicts": [
                {k: check.get(k, []) for k in ("nodeid", "name", "verdict", *_EXAMPLES)}
                for check in report["checks"]
            ],
        },
    }
    log = {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}
    return json.dumps(plain_data(log), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _result(check: Record, rule: int) -> dict[str, Any]:
    kind, level = _KINDS[standing(check)]
    digest = hashlib.sha256(f"{check['nodeid']}\0{check['name']}".encode()).hexdigest()
    result: dict[str, Any] = {
        "ruleId": check["diagnosis"]["code"],
        "ruleIndex": rule,
        "kind": kind,
        "level": level,
        "message": {"text": check.get("message") or check["diagnosis"]["text"]},
        "locations": [_location(check)],
        # The same check in another run is the same finding, wherever its line has moved to.
        "partialFingerprints": {"check/v1": digest},
        "properties": {
            **{k: check[k] for k in ("nodeid", "name", "verdict", "culprit")},
            "margin": margin(check),
            "proved": bool(check.get("proved")),
            "proofs": check.get("proofs", []),
            "reproduce": check["reproduce"],
            **{k: check.get(k, []) for k in _EXAMPLES},
        },
    }
    if standing(check) == "xfail":
        result["suppressions"] = [{"kind": "inSource", "justification": check["xfail"]}]
    return result


def _location(check: Record) -> dict[str, Any]:
    at = check.get("location") or {"path": check["nodeid"].partition("::")[0], "line": None}
    uri = urllib.parse.quote(at["path"].replace("\\", "/"))
    place: dict[str, Any] = {"artifactLocation": {"uri": uri, "uriBaseId": ROOT}}
    if at["line"]:
        place["region"] = {"startLine": at["line"]}
    name = {"fullyQualifiedName": check["nodeid"], "kind": "function"}
    return {"physicalLocation": place, "logicalLocations": [name]}
