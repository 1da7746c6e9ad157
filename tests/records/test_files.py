"""Files written whole or not at all."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

import pytest

from pytest_gradcheck.records.files import append, write_atomically


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
    assert seen == [(tmp_path, "new\n", "old")], "complete, next to the old one, before it takes its place"
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
    link.chmod(0o640)
    write_atomically(link, "newer")
    assert stat.S_IMODE(link.stat().st_mode) == 0o640


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs a path that is not a regular file")
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


def test_who_has_the_file_open_to_append_to_it_loses_nothing(tmp_path: Path) -> None:
    path = tmp_path / "summary"
    with open(path, "a", encoding="utf-8") as other:
        other.write("# Mine")
        other.flush()
        append(path, "## Gradient checks\n")
        other.write("# Mine again\n")
    assert path.read_text(encoding="utf-8") == "# Mine\n## Gradient checks\n# Mine again\n"
