"""The report as one self-contained HTML file: no network, no server, no other file.

The page holds the data as JSON, from which ``page/script.js`` makes text nodes; no user data is parsed as
HTML. A content security policy blocks everything else.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from html import escape
from importlib import resources
from typing import Any

from pytest_gradcheck.records.inconclusive import in_words
from pytest_gradcheck.reports.ranking import badge, headline, standing, worst_first

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; \
style-src {style_hash}; script-src {script_hash}; base-uri 'none'; form-action 'none'">
<title>{title}</title>
<link rel="icon" href="data:,">
<style>{style}</style>
</head>
<body>
<main id="page">
<h1>Gradient checks</h1>
<p>{headline}</p>
<noscript><p>With scripts on, this page shows every check and its figures.</p>{table}</noscript>
</main>
<script type="application/json" id="report">{data}</script>
<script>{script}</script>
</body>
</html>
"""


def render(report: Mapping[str, Any]) -> str:
    """Return the report as the text of one HTML file."""
    folder = resources.files("pytest_gradcheck.reports") / "page"
    style, script = ((folder / name).read_text(encoding="utf-8") for name in ("style.css", "script.js"))
    checks = worst_first(report["checks"])
    data = {**report, "checks": [{**check, "standing": standing(check)} for check in checks]}
    rows = "".join(
        f"<tr><td>{escape(check['verdict'] + badge(check))}<td>{escape(check['nodeid'])}"
        f"<td>{escape(check['name'])}"
        f"<td>{escape(check['diagnosis']['text'])}<td>{escape(in_words(check))}"
        for check in checks
    )
    return _PAGE.format(
        title=escape(f"{headline(report['summary'])}"),
        headline=escape(headline(report["summary"])),
        table=f"<table>{rows}</table>" if rows else "",
        data=_inert(json.dumps(data, ensure_ascii=False, allow_nan=False)),
        style=style,
        script=script,
        style_hash=_source(style),
        script_hash=_source(script),
    )


def _inert(text: str) -> str:
    """Escape JSON so that no character in it can open or close anything in HTML."""
    for sign in "<>&":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return text


def _source(text: str) -> str:
    digest = base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")
    return f"'sha256-{digest}'"
