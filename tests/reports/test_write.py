"""Report files: the type that a path asks for, and writing whole or not at all."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

import pytest

from pytest_gradcheck import reports
from pytest_gradcheck.options import parse_report
from pytest_gradcheck.reports import write_atomically

BASE = Path(__file__).parent


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("json:out.txt", "out.txt"),
        ("out.json", "out.json"),
        ("sub/OUT.JSON", "sub/OUT.JSON"),
        ("json:a:b.txt", "a:b.txt"),
        (r"C:\reports\out.json", r"C:\reports\out.json"),
        ("c:out.json", "c:out.json"),
        (r"json:C:\out", r"C:\out"),
    ],
)
def test_type_and_path(text: str, path: str) -> None:
    target = parse_report(text, "--gradcheck-report", BASE)
    assert target.format == "json"
    assert target.path == Path(os.path.abspath(BASE / path))


def test_a_relative_path_starts_at_the_base() -> None:
    assert parse_report("json:../x", "--gradcheck-report", BASE).path == BASE.parent / "x"


def test_the_file_is_replaced_in_one_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "report.json"
    path.write_text("old")
    seen = []
    replace = os.replace

    def spy(source: Path, target: Path) -> None:
        seen.append((Path(source).parent, Path(source).read_text(), Path(target).read_text()))
        replace(source, target)

    monkeypatch.setattr(os, "replace", spy)
    write_atomically(path, "new\n")
    assert seen == [(tmp_path, "new\n", "old")], "complete, beside the old one, before it takes its place"
    assert path.read_bytes() == b"new\n"
    assert os.listdir(tmp_path) == ["report.json"]


def test_a_failure_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "report.json"
    path.write_text("old")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_atomically(path, "new")
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["report.json"]


@pytest.mark.skipif(sys.platform == "win32", reason="permissions and links are POSIX's here")
def test_links_and_permissions_are_as_with_a_plain_open(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    link = tmp_path / "report.json"
    link.symlink_to(tmp_path / "real" / "target.json")
    write_atomically(link, "new")
    assert link.is_symlink()
    assert (tmp_path / "real" / "target.json").read_text() == "new"
    plain = tmp_path / "plain"
    plain.touch()
    assert stat.S_IMODE(link.stat().st_mode) == stat.S_IMODE(plain.stat().st_mode)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs a path that is no regular file")
def test_what_is_no_regular_file_is_written_to_and_not_replaced(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    end = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        write_atomically(pipe, "through")
        assert os.read(end, 100) == b"through"
    finally:
        os.close(end)
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_every_format_has_a_module_with_a_renderer() -> None:
    import importlib

    for form in reports.FORMATS.values():
        assert callable(importlib.import_module(form.module).render)
