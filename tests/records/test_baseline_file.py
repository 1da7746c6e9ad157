"""What is worse than a baseline, and the file."""

from __future__ import annotations

import sys
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_gradcheck.errors import InvalidArgument
from pytest_gradcheck.records import baseline
from pytest_gradcheck.records.gate import against_baseline

# ---------------------------------------------------------------------------- rules


def check(verdict: str, margin: float = 0.1, name: str = "f", xfail: str | None = None) -> dict[str, Any]:
    return {
        "nodeid": f"t.py::test_{name}",
        "name": name,
        "verdict": verdict,
        "worst": {"margin": margin},
        "xfail": xfail,
    }


def entry(verdict: str, margin: float = 0.1, name: str = "f") -> dict[tuple[str, str], dict[str, Any]]:
    return {(f"t.py::test_{name}", name): {"verdict": verdict, "margin": margin}}


@pytest.mark.parametrize(
    ("before", "now", "rule"),
    [
        (entry("pass"), [check("pass")], None),
        (entry("pass"), [check("fail")], "baseline-verdict"),
        (entry("pass"), [check("inconclusive")], "baseline-verdict"),
        (entry("pass"), [check("fail", xfail="known")], None),
        (entry("fail"), [check("fail")], None),
        (entry("inconclusive"), [check("fail")], None),
        (entry("pass", 0.05), [check("pass", 0.5)], None),
        (entry("pass", 0.05), [check("pass", 0.51)], "baseline-margin"),
        (entry("pass", 1e-9), [check("pass", 0.09)], None),
        (entry("pass"), [], "baseline-vanished"),
        (entry("fail"), [], "baseline-vanished"),
        ({}, [check("fail")], None),
    ],
)
def test_what_is_worse(before: Any, now: Any, rule: str | None) -> None:
    assert [v.rule for v in against_baseline(now, before)] == ([rule] if rule else [])
    assert [v.rule for v in against_baseline(now, before, looked_for=lambda nodeid: False)] == (
        [rule] if rule and rule != "baseline-vanished" else []
    )


def test_the_first_is_named_and_the_others_counted() -> None:
    before = entry("pass", name="a") | entry("pass", name="b")
    (violation,) = against_baseline([check("fail", name="a"), check("fail", name="b")], before)
    assert str(violation) == (
        "baseline-verdict: 2 checks passed in the baseline but not now: t.py::test_a: a (fail) and 1 "
        "other check; "
        "fix it, or accept it with --gradcheck-update-baseline"
    )


# ---------------------------------------------------------------------------- the file

entries = st.dictionaries(
    st.tuples(st.text(), st.text()),
    st.fixed_dictionaries(
        {
            "verdict": st.sampled_from(["pass", "fail", "inconclusive"]),
            "margin": st.floats(0) | st.just(float("inf")),
        }
    ),
)


@given(entries)
def test_a_baseline_is_read_as_it_was_written(found: dict[tuple[str, str], dict[str, Any]]) -> None:
    found = {key: value for key, value in found.items() if "\ud800" not in "".join(key)}
    written = baseline.updated({}, [{"nodeid": n, "name": m, **e} for (n, m), e in found.items()])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "b"
        path.write_text(baseline.render(written), encoding="utf-8")
        assert baseline.read(path, "FILE") == written
        # Once more is the same text: nothing changes in it that did not change.
        assert baseline.render(baseline.updated(written, [])) == path.read_text(encoding="utf-8")


def test_every_check_has_a_line() -> None:
    text = baseline.render(entry("fail", name="b") | entry("pass", name="a"))
    assert [line.strip().rstrip(",") for line in text.splitlines() if "nodeid" in line] == [
        '{"nodeid": "t.py::test_a", "name": "a", "verdict": "pass", "margin": 0.1}',
        '{"nodeid": "t.py::test_b", "name": "b", "verdict": "fail", "margin": 0.1}',
    ]


def test_the_digits_that_change_with_every_input_are_not_kept() -> None:
    assert baseline.updated({}, [check("pass", 0.123456)]) == entry("pass", 0.123)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no lock on a folder")
def test_of_runs_that_end_together_none_is_lost(tmp_path: Path) -> None:
    path = tmp_path / "b"
    names = [str(k) for k in range(16)]
    # Two would take turns by themselves: each has to read what the other has written.
    meet = threading.Barrier(len(names))

    def run(name: str) -> None:
        meet.wait()
        baseline.update(path, [check("pass", name=name)])

    with ThreadPoolExecutor(len(names)) as pool:
        list(pool.map(run, names))
    assert baseline.read(path, "FILE").keys() == {key for name in names for key in entry("pass", name=name)}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "which is not JSON"),
        ("[]", "which is not a JSON object"),
        ('{"format": "other", "version": 1}', "of format 'other' and version 1; give a file of format"),
        ('{"format": "pytest-gradcheck-baseline", "version": 2}', "and version 2"),
        ('{"format": "pytest-gradcheck-baseline", "version": 1, "checks": [{}]}', "lacks 'nodeid'"),
    ],
)
def test_what_is_no_baseline_is_told(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "b"
    path.write_text(text)
    with pytest.raises(InvalidArgument, match=f"^FILE: got .*{message}"):
        baseline.read(path, "FILE")


@pytest.mark.parametrize(
    ("arguments", "inside"),
    [
        ([""], True),
        (["tests"], True),
        (["tests/test_a.py"], True),
        (["tests/test_a.py::test_x"], True),
        (["tests/test_a.py::test_y"], False),
        (["tests/test_b.py"], False),
        (["other", "tests"], True),
        (["test"], False),
    ],
)
def test_which_tests_the_paths_take_in(arguments: list[str], inside: bool) -> None:
    root = Path("/root")
    assert baseline.within("tests/test_a.py::test_x[1]", arguments, root, root) is inside


def test_paths_start_where_pytest_was_called_and_nodeids_at_its_rootdir() -> None:
    root = Path("/root")
    assert baseline.within("tests/test_a.py::test_x", ["test_a.py"], root, root / "tests")
    assert not baseline.within("tests/test_a.py::test_x", ["tests"], root, root / "tests")
    assert baseline.within("tests/test_a.py::test_x", [".."], root, root / "other")
