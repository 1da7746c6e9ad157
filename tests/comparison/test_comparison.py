"""The comparison of two recordings sees what differs, and a recording holds what a check found."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pages import ROOT

np = pytest.importorskip("numpy")
pytest.importorskip("torch")

from pytest_gradcheck import InvalidArgument  # noqa: E402  where all that it needs is there
from tests.comparison import comparing, parts, recorder, verdicts  # noqa: E402  the same

SOME = ("options", "diagnoses", "named")


def recorded(*names: str) -> dict[str, Any]:
    found = {}
    for name in names:
        keeps = recorder.Recorder()
        parts.run(name, keeps, few=True)
        found[name] = {"cpu": 1.0, "checks": keeps.entries}
    return found


@pytest.fixture(scope="module")
def before() -> dict[str, Any]:
    return recorded(*SOME)


@pytest.fixture
def after(before: dict[str, Any]) -> dict[str, Any]:
    return copy.deepcopy(before)


def entry_of(recording: dict[str, Any], part: str = "diagnoses") -> dict[str, Any]:
    entry: dict[str, Any] = next(iter(recording[part]["checks"].values()))
    return entry


def test_two_recordings_of_the_same_code_do_not_differ(before: dict[str, Any]) -> None:
    text, same = comparing.compared([before], [recorded(*SOME)])
    assert same
    assert "==" not in text
    count = len(SOME) * parts.FEW
    assert f"checks before {count}, after {count}, in both {count}" in text
    assert f"{count} of {count}" in next(line for line in text.splitlines() if line.startswith("verdict"))


def test_a_recording_is_read_as_it_was_written(before: dict[str, Any], tmp_path: Path) -> None:
    recorder.save(tmp_path / "one.json", before)
    assert recorder.load(tmp_path / "one.json") == before


@pytest.mark.parametrize(
    ("field", "value", "lines"),
    [
        ("verdict", "pass", ["- fail", "+ pass"]),
        ("culprit", None, ["- torch", "+ None"]),
        ("code", "permuted", ["- sign", "+ permuted"]),
        ("labels", ["kink"], ["- (none)", "+ kink"]),
        ("error", "ValueError", ["- None", "+ ValueError"]),
    ],
)
def test_what_is_held_and_differs_is_found(
    before: dict[str, Any], after: dict[str, Any], field: str, value: Any, lines: list[str]
) -> None:
    entry_of(after)[field] = value
    text, same = comparing.compared([before], [after])
    assert not same
    found = [line.strip() for line in text.splitlines()]
    at = found.index(f"== {field}: 1")
    name = next(iter(before["diagnoses"]["checks"]))
    assert found[at + 1 : at + 4] == [f"diagnoses: {name}", *lines]


def test_other_texts_and_numbers_are_printed_and_excused(
    before: dict[str, Any], after: dict[str, Any]
) -> None:
    entry = entry_of(after)
    entry["text"] += ", once more"
    entry["evaluations"]["central"] += 5
    text, same = comparing.compared([before], [after])
    assert same
    assert "== text: 1\n" in text
    assert "== evaluations, in its numbers alone: 1\n" in text


def test_a_check_that_is_gone_is_found(before: dict[str, Any], after: dict[str, Any]) -> None:
    name = next(iter(before["named"]["checks"]))
    del after["named"]["checks"][name]
    text, same = comparing.compared([before], [after])
    assert not same
    assert f"== only before: 1\n  named: {name}\n" in text
    text, same = comparing.compared([after], [before])
    assert same
    assert f"== only after: 1\n  named: {name}\n" in text


def test_a_part_that_one_side_lacks_is_named(before: dict[str, Any], after: dict[str, Any]) -> None:
    del after["named"]
    text, same = comparing.compared([before], [after])
    assert same
    assert "recorded on one side alone: named" in text


def test_of_several_recordings_the_least_times_count(before: dict[str, Any]) -> None:
    sides = []
    for factor in (1.0, 3.0, 2.0):
        sides.append(copy.deepcopy(before))
        for part in sides[-1].values():
            part["cpu"] = 10 * factor
            for entry in part["checks"].values():
                entry["cpu"] = factor
    last = comparing.compared(sides[:1], sides[1:])[0].splitlines()[-1].split()
    count = len(SOME) * parts.FEW
    assert last == ["all", "30.0", "60.0", "2.000", f"{count}.00", f"{2 * count}.00", "2.000", "2.000"]


def test_an_entry_has_what_the_check_found(before: dict[str, Any]) -> None:
    entry = entry_of(before)
    assert (entry["verdict"], entry["culprit"], entry["code"]) == ("fail", "torch", "sign")
    assert entry["where"].startswith("Wrong.backward (")
    assert "wrong gradient" in entry["message"]
    assert entry["methods"]["torch"] == ["ok", None]
    assert entry["calls"].keys() == entry["evaluations"].keys() == entry["methods"].keys()
    assert entry["cpu"] > 0
    assert "seconds" not in json.dumps(entry)


def test_an_exception_is_recorded_and_goes_no_further() -> None:
    keeps = recorder.Recorder()
    keeps.attempt("a name", np.sin, 0.3, mode="fast")
    keeps.attempt("a name", np.sin, 0.3)
    keeps.at("several")
    with pytest.raises(InvalidArgument):
        keeps.check(np.sin, 0.3, mode="fast")
    with pytest.raises(AssertionError, match="wrong gradient"):
        keeps.demand(np.sin, 0.3, gradient=np.sin)
    entries = keeps.entries
    assert list(entries) == ["a name", "a name (again, 2)", "several", "several#2"]
    assert [entry["error"] for entry in entries.values()] == ["InvalidArgument", None] * 2
    assert "did you mean" in entries["a name"]["message"] or "the modes are" in entries["a name"]["message"]
    assert entries["several#2"]["verdict"] == "fail"


def test_texts_do_not_tell_where_the_tree_is_and_where_in_memory_a_function() -> None:
    name, line = "tests/comparison/parts.py", 1
    source = (ROOT / name).read_text(encoding="utf-8").splitlines()[0]
    text = recorder.same_everywhere(
        f"<f at 0x7f00deadbeef> in {ROOT}/{name}:{line}, or {Path(name).name}:{line}"
    )
    assert text == f"<f at 0x…> in {name}:«{source}», or {Path(name).name}:«{source}»"
    assert recorder.same_everywhere("nowhere.py:12") == "nowhere.py:#"


def test_the_commands_record_and_compare(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one, other = tmp_path / "one.json", tmp_path / "other.json"
    assert verdicts.main(["record", str(one), "--few", "--part", "options"]) == 0
    changed = recorder.load(one)
    assert len(changed["options"]["checks"]) == parts.FEW
    assert verdicts.main(["compare", str(one), str(one)]) == 0
    entry_of(changed, "options")["verdict"] = "pass"
    recorder.save(other, changed)
    assert verdicts.main(["compare", str(one), f"{other},{one}"]) == 1
    assert "== verdict: 1" in capsys.readouterr().out


def test_a_passing_check_goes_through_no_more_than_it_does_today():
    """The aim is 25 modules and 150 functions; what has been reached must not be lost again."""
    code = "from tests.comparison import footprint\nf = footprint.of_a_check()\nprint(f.modules, f.functions)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    modules, functions = map(int, done.stdout.split()[-2:])
    assert modules <= 44, f"{modules} modules: run python -m tests.comparison.footprint --list"
    assert functions <= 215, f"{functions} functions: run python -m tests.comparison.footprint --list"
