"""Workflow commands ``::error``, which make GitHub annotate failures in a pull request."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pytest_gradcheck.reports.ranking import standing, worst_first

#: This plugin annotates every failed test, including failed checks.
ANNOTATOR = "pytest_github_actions_annotate_failures"

#: GitHub shows ten errors and ten warnings per step.
MOST = 10


def wanted(plugins: Any, environ: Mapping[str, str] = os.environ) -> bool:
    """Whether this is a GitHub Actions run that no other plugin annotates."""
    return environ.get("GITHUB_ACTIONS") == "true" and not plugins.hasplugin(ANNOTATOR)


def commands(
    checks: Iterable[dict[str, Any]],
    gate: Sequence[Mapping[str, str]],
    root: Path,
    workspace: str | None,
) -> list[str]:
    """Return one command for each violated rule and each failed check, worst first.

    Paths are relative to ``root``, pytest's rootdir, and become relative to ``workspace``, GitHub's.
    """
    lines = [_command({"title": f"gradcheck: {r['rule']}"}, f"{r['found']}; {r['remedy']}") for r in gate]
    for check in [check for check in worst_first(checks) if standing(check) == "fail"][:MOST]:
        where = check.get("location") or {"path": check["nodeid"].partition("::")[0], "line": None}
        path = root / where["path"]
        if workspace is not None and path.is_relative_to(workspace):
            path = path.relative_to(workspace)
        title = f"gradcheck: {check['nodeid']}"
        properties = {"file": path.as_posix(), "line": where["line"], "title": title}
        lines.append(_command(properties, check.get("message") or check["diagnosis"]["text"]))
    return lines


def _command(properties: Mapping[str, Any], message: str) -> str:
    text = ",".join(f"{name}={_escaped(str(v), ':,')}" for name, v in properties.items() if v is not None)
    return f"::error {text}::{_escaped(message, '')}"


def _escaped(text: str, more: str) -> str:
    for sign in f"%\r\n{more}":
        text = text.replace(sign, f"%{ord(sign):02X}")
    return text
