"""The picture of the HTML report in the README: small, shown, and taken by a script that still works."""

from __future__ import annotations

import os
import struct

import pytest
from pages import ROOT

from docs import screenshot


def size(picture):
    head = picture.read_bytes()[:24]
    assert head[:8] == b"\x89PNG\r\n\x1a\n"
    return struct.unpack(">II", head[16:])


def test_the_readme_shows_it():
    assert f"]({screenshot.PICTURE.relative_to(ROOT)})" in (ROOT / "README.md").read_text(encoding="utf-8")
    for picture in (screenshot.PICTURE, screenshot.PICTURE_DARK):
        assert size(picture) == (screenshot.WIDTH, screenshot.HEIGHT)
        assert picture.stat().st_size < 150_000


def test_the_guide_shows_the_terminal():
    guide = (ROOT / "docs/howto/read_a_failure.md").read_text(encoding="utf-8")
    assert f"](../images/{screenshot.TERMINAL.name}){{.only-dark}}" in guide
    assert f"](../images/{screenshot.TERMINAL_LIGHT.name}){{.only-light}}" in guide
    for picture in (screenshot.TERMINAL, screenshot.TERMINAL_LIGHT):
        assert size(picture) == (screenshot.TERMINAL_WIDTH, screenshot.TERMINAL_HEIGHT)
        assert picture.stat().st_size < 150_000


def test_colours_become_elements():
    page = screenshot.as_page("= FAILURES =\n\x1b[31mred <b>\x1b[0m plain")
    assert "<span style='color:#ff8a80'>red &lt;b&gt;</span> plain" in page
    page = screenshot.as_page("= FAILURES =\n\x1b[31mred\x1b[0m plain", dark=False)
    assert "<span style='color:#b3261e'>red</span> plain" in page


def test_what_it_cannot_do_it_says(monkeypatch, capsys):
    assert screenshot.main(["no-folder"]) == 2
    assert "usage: python docs/screenshot.py [FOLDER], got no-folder" in capsys.readouterr().err
    monkeypatch.setattr(screenshot, "browser", lambda: None)
    assert screenshot.main([]) == 1
    assert "no browser: one of chromium," in capsys.readouterr().err


@pytest.mark.sweep
@pytest.mark.skipif(
    screenshot.browser() is None and "CI" not in os.environ,
    reason="no Chromium here; .ci/run installs it, and insists on it",
)
def test_the_script_takes_it(tmp_path):
    assert screenshot.main([str(tmp_path)]) == 0
    for picture in (screenshot.PICTURE, screenshot.PICTURE_DARK):
        taken = tmp_path / picture.name
        assert size(taken) == (screenshot.WIDTH, screenshot.HEIGHT)
        # A page that shows nothing takes a tenth of that.
        assert 50_000 < taken.stat().st_size < 150_000
    for picture in (screenshot.TERMINAL, screenshot.TERMINAL_LIGHT):
        assert 20_000 < (tmp_path / picture.name).stat().st_size < 150_000
