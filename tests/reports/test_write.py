"""Report files: the type that a path asks for, and every format written whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sample_results import report, result

from pytest_gradcheck import reports
from pytest_gradcheck.errors import InvalidArgument
from pytest_gradcheck.records.files import write_atomically
from pytest_gradcheck.reports import FORMATS, write_report
from pytest_gradcheck.reports.targets import check_paths, parse_report

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


# ---------------------------------------------------------------------------- in every format

MANY = [(f"t.py::test_{i}", result(("pass", "fail", "inconclusive")[i % 3])) for i in range(1000)]


@pytest.fixture(scope="module")
def thousand() -> Any:
    return report(*MANY)


@contextlib.contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """As on a disk that is full, for root too: no file of this process grows beyond a size."""
    resource = pytest.importorskip("resource", reason="Windows has no limit for the size of a file")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("before", ["old", None])
def test_where_the_disk_is_full_nothing_is_half_written(
    tmp_path: Path, thousand: Any, name: str, before: str | None
) -> None:
    path = tmp_path / "report"
    if before is not None:
        path.write_text(before)
    with files_of_at_most(5000), pytest.raises(OSError, match=os.strerror(errno.EFBIG)):
        write_report(name, path, thousand)
    there = {file.name: file.read_text() for file in tmp_path.iterdir()}
    # What is appended to is a file from the first moment on.
    empty = {"report": ""} if FORMATS[name].appends else {}
    assert there == ({"report": before} if before else empty)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="a device of Linux")
@pytest.mark.parametrize("name", FORMATS)
def test_a_full_device_stays_one(name: str) -> None:
    with pytest.raises(OSError, match="No space left"):
        write_report(name, Path("/dev/full"), report())
    assert stat.S_ISCHR(os.stat("/dev/full").st_mode)


@pytest.mark.parametrize("name", FORMATS)
def test_writers_of_one_path_leave_one_report_whole_or_all(tmp_path: Path, name: str) -> None:
    """Four at a time, next to a reader: it never sees a part, and what is appended is never lost."""
    path = tmp_path / "report"
    texts = {reports.rendered(name, report((f"t.py::test_{k}", result()))) for k in range(4)}
    go = threading.Barrier(5)

    def write(k: int) -> None:
        go.wait()
        for _ in range(3):
            write_report(name, path, report((f"t.py::test_{k}", result())))

    writers = [threading.Thread(target=write, args=(k,)) for k in range(4)]
    for thread in writers:
        thread.start()
    go.wait()
    seen = set()
    while any(thread.is_alive() for thread in writers):
        with contextlib.suppress(FileNotFoundError):
            seen.add(path.read_text(encoding="utf-8"))
    for thread in writers:
        thread.join()
    found = path.read_text(encoding="utf-8")
    if FORMATS[name].appends:
        assert len(found) == 3 * sum(map(len, texts))
        assert all(found.count(text) == 3 for text in texts)
    else:
        assert seen | {found} <= texts
    assert os.listdir(tmp_path) == ["report"]


def test_a_name_may_be_as_long_as_a_name_may_be(tmp_path: Path) -> None:
    path = tmp_path / ("n" * 250 + ".json")
    check_paths([path])
    write_atomically(path, "text")
    assert path.read_text() == "text"


def test_a_name_that_is_too_long_is_told_before(tmp_path: Path) -> None:
    path = tmp_path / ("n" * 300 + ".json")
    with pytest.raises(InvalidArgument, match=r"which cannot be accessed \(.*too long\); choose another"):
        check_paths([path])


def test_every_format_has_a_module_with_a_renderer() -> None:
    import importlib

    for form in reports.FORMATS.values():
        assert callable(importlib.import_module(form.module).render)
