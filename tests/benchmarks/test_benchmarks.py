"""The benchmarks run, at tiny sizes, and compare what is the same. No time is asserted here."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import sys
from functools import partial
from types import SimpleNamespace

import pytest
from pages import ROOT

np = pytest.importorskip("numpy")
pytest.importorskip("autograd")
pytest.importorskip("micrograd")
pytest.importorskip("torch")

import reference_engine  # noqa: E402  where all that it needs is there
from docs.benchmarks_page import stored  # noqa: E402  the same
from docs.benchmarks_page.questions import QUESTIONS, replaced  # noqa: E402  the same
from tests.benchmarks import __main__, check_grads, engine, memory, pages, tables, timing  # noqa: E402  the same
from tests.benchmarks.by_library import FUNCTIONS  # noqa: E402  the same
from tests.benchmarks.tables import Aim, Found, Ratio, Table  # noqa: E402  the same

CONTESTS = {
    **{
        f"chain on {name}": engine.contest(lambda lib, x: engine.chain(40, lib, x), [x])
        for name, x in engine.SMALL.items()
    },
    "scalars": engine.scalar_contest(400),
    "mlp": engine.mlp_contest(3, (4, 5, 2)),
    **engine.logsumexp_contests(50),
}


@pytest.mark.parametrize("contest", CONTESTS.values(), ids=CONTESTS)
def test_contestants_compute_the_same_gradient(contest):
    gradients = {name: [np.asarray(g) for g in run()] for name, run in contest.gradients.items()}
    expected = gradients[engine.ENGINE]
    assert any(np.any(g) for g in expected)
    for found in gradients.values():
        assert [g.shape for g in found] == [g.shape for g in expected]
        for g, e in zip(found, expected, strict=True):
            np.testing.assert_allclose(g, e, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("contest", CONTESTS.values(), ids=CONTESTS)
def test_contestants_compute_the_same_value(contest):
    values = [float(run()) for run in contest.forwards.values()]
    np.testing.assert_allclose(values, values[0], rtol=1e-12)


def test_the_graphs_have_as_many_operations_as_they_say():
    calls = []

    class Counted(float):
        def __add__(self, other):
            calls.append("+")
            return Counted(float(self) + other)

        def __mul__(self, other):
            calls.append("*")
            return Counted(float(self) * other)

        def __pow__(self, other):
            calls.append("**")
            return Counted(float(self) ** other)

    engine.scalar_graph([Counted(0.5)] * 5, 400)
    assert len(calls) == 399


@pytest.mark.sweep
@pytest.mark.parametrize("name", __main__.names())
def test_each_benchmark_runs_and_its_tables_are_stored(name, capsys, monkeypatch):
    kept = []
    monkeypatch.setattr(stored, "replace", lambda part, tables, folder: kept.extend(tables))
    __main__.benchmark(name, quick=True, write=True)
    printed = capsys.readouterr().out
    assert printed.startswith("Measured on ")
    assert "load average" in printed.splitlines()[0]
    for table in kept:
        assert table.title in printed
        assert table.rows
        assert {len(row) for row in table.rows} == {len(table.columns)}
        # Every note is one that the page can be written from.
        assert len(table.notes) == len(table.timed()) + len(table.judged()) + len(table.aimed())
    assert any(table.notes for table in kept)
    assert {table.title for table in kept} == {t.title for t in stored.every() if t.part == name}


@pytest.mark.parametrize("name", __main__.PAGES)
def test_each_page_of_what_is_detected_is_a_part(name, capsys):
    assert __main__.main([name, "--quick"]) is None
    assert capsys.readouterr().out.count("\n") >= 2
    assert pages.PAGES[name].path.is_file()


def test_every_page_has_a_part_of_its_name():
    assert set(pages.PAGES) == set(__main__.PAGES)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["engines"], "PART: got 'engines'; choose from"),
        (["engine", "--quick", "--write"], "--write: got --quick"),
    ],
)
def test_what_cannot_be_run_is_refused_by_name(arguments, said, capsys):
    with pytest.raises(SystemExit):
        __main__.main(arguments)
    assert said in capsys.readouterr().err


@pytest.fixture
def page(tmp_path, monkeypatch):
    """A copy of the page, and two parts in place of the real ones: one that fails and one that does not."""
    copy = tmp_path / "benchmarks.md"
    copy.write_text(__main__.PAGE.read_text(encoding="utf-8"), encoding="utf-8")
    monkeypatch.setattr(__main__, "PAGE", copy)
    monkeypatch.setattr(__main__, "DATA", tmp_path / "data")
    shutil.copytree(stored.DATA, tmp_path / "data")

    def broken(quick):
        yield Table("Half", "What was run.", ["", "s"], [["a", "1"]])
        raise ValueError("out of order")

    table = Table(
        "Examples per second",
        "What was run.",
        ["", "s"],
        [["a", "1"]],
        [Aim("of a", 1, 2)],
        [Ratio("b, over c", [3])],
    )
    monkeypatch.setattr(__main__, "PAGES", ())
    for name, run in {"engine": broken, "strategies": lambda quick: [table]}.items():
        monkeypatch.setitem(sys.modules, f"tests.benchmarks.{name}", SimpleNamespace(run=run, PACKAGES=()))
    return copy


def section(page, name):
    return re.search(f"<!-- {name}: begin -->(.*)<!-- {name}: end -->", page, re.DOTALL)[1]


def test_a_part_that_fails_does_not_lose_the_figures_of_the_others(page, capsys):
    before = page.read_text(encoding="utf-8")
    with pytest.raises(SystemExit, match=r"^failed: engine \(ValueError\); the other parts are whole$"):
        __main__.main(["engine", "strategies", "--write"])
    after = page.read_text(encoding="utf-8")
    assert section(after, "engine") == section(before, "engine")
    assert section(after, "overhead") != section(before, "overhead")
    old = [table for table in stored.every() if table.part == "engine"]
    assert [table for table in stored.every(__main__.DATA) if table.part == "engine"] == old
    said = capsys.readouterr()
    assert "Half" in said.out
    assert "ValueError: out of order" in said.err
    assert "FAILED: its stored figures stay as they were" in said.err


def test_what_is_written_is_on_the_page_and_in_the_data(page):
    __main__.main(["strategies", "--write"])
    text = page.read_text(encoding="utf-8")
    assert "| b, over c | 3 | 3 to 3 | 1 of 1 |" in section(text, "overhead")
    file = "strategies/examples-per-second.csv"
    link = f"{{download}}`Examples per second <data/{file}>`"
    assert link in section(text, "overhead")
    assert f"| {link} | of a | 1 | 2 |" in section(text, "aims")
    assert (__main__.DATA / file).read_text(encoding="utf-8").endswith("\n,s\na,1\n")
    # Without --write, the figures are only printed.
    __main__.main(["strategies"])
    assert page.read_text(encoding="utf-8") == text


def test_a_page_without_a_place_is_refused_before_anything_runs(page, capsys):
    text = page.read_text(encoding="utf-8")
    page.write_text(text.replace("<!-- engine: end -->\n", ""), encoding="utf-8")
    with pytest.raises(SystemExit, match="lacks the lines <!-- engine: begin -->"):
        __main__.main(["strategies", "engine", "--write"])
    assert not capsys.readouterr().out


def test_the_page_is_what_the_data_say():
    page = __main__.PAGE.read_text(encoding="utf-8")
    assert __main__.written(page) == page


def test_every_stored_table_answers_a_question():
    assert {title for question in QUESTIONS for title in question.tables} == {
        table.title for table in stored.every()
    }


def test_what_is_under_a_table_is_read_again(tmp_path):
    ratio = Ratio("a check, over slow mode: at once", [0.5, 2.0, 3.0])
    found = Found("wrong ones let pass, of 1,234, in float64", {"ours": "0", "theirs": "1,000"})
    aims = [Aim("a check, the worst,", 1, 0.5), Aim("a check at most", 1, 3), Aim("of it", 1, float("nan"))]
    rows = [["# 1", "1,000"], ["two", 'say "3"']]
    table = Table("It's A-B, c_d", "Text, # 1.", ["a", "b, ms"], rows, aims, [ratio], [found])
    stored.replace("part", [table.stored("part", "Measured today.")], tmp_path)
    (back,) = stored.every(tmp_path)
    assert (tmp_path / "part/its-a-b-c_d.csv").is_file()
    assert back == table.stored("part", "Measured today.")
    assert back.timed() == [("a check, over slow mode: at once", "0.5", "3", "2", "2 of 3")]
    assert back.judged() == [
        ("wrong ones let pass, of 1,234, in float64", (("ours", "0"), ("theirs", "1,000")))
    ]
    assert [(aim.what, aim.found, aim.is_reached) for aim in back.aimed()] == [
        ("a check, the worst", "0.5", True),
        ("a check at most", "3", False),
        ("of it", "nan", False),
    ]


def test_the_page_has_every_peer():
    assert not [table.file for table in stored.every() if "not installed" in f"{table.text}{table.measured}"]


@pytest.mark.parametrize("case", FUNCTIONS.values(), ids=FUNCTIONS)
def test_backwards_by_hand_are_right_and_wrong_as_they_say(case):
    value, pullback = reference_engine.vjp(partial(case.value, np), *case.inputs)
    along = np.random.default_rng(2).normal(size=np.shape(value))
    expected = [np.asarray(g.data) for g in pullback(along)]
    for found, g in zip(case.right(np, along, *case.inputs), expected, strict=True):
        np.testing.assert_allclose(found, g, rtol=1e-10, atol=1e-12)
    wrong = case.wrong(np, along, *case.inputs)
    assert any(np.abs(w - g).max() > 0.01 * np.abs(g).max() for w, g in zip(wrong, expected, strict=True))


@pytest.mark.parametrize("fault", check_grads.FAULTS)
def test_a_fault_is_one_for_most_functions(fault):
    made = [check_grads.broken(case, fault) for case in FUNCTIONS.values()]
    assert sum(vjp is not None for vjp in made) >= 20


def test_a_fault_that_changes_nothing_is_none():
    one = FUNCTIONS["norm"]._replace(inputs=(np.array([2.0]),))
    assert check_grads.broken(one, "reversed") is None
    assert check_grads.broken(one, "sign") is not None


def test_a_peer_that_is_missing_is_said_to_be(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    few = {"tanh": FUNCTIONS["tanh"]}
    for table in (check_grads.whole(few, 1), check_grads.by_fault(few, ["float64"], {"1": 1.0})):
        said = "`jax.test_util.check_grads` has no figures here: JAX is not installed"
        assert said in table.plain().replace("\n", " ")
        assert check_grads.JAX not in f"{table.columns}{table.rows}"
    assert tables.circumstances("it", ["no-such-package"]).endswith("no-such-package not installed.")


def test_jax_finds_the_same_backwards_right_and_wrong():
    pytest.importorskip("jax", reason="needs JAX, which the bench extra installs")
    few = {name: FUNCTIONS[name] for name in ("tanh", "matrix product")}
    table = check_grads.whole(few, 1)
    rows = {row[0]: row[1:4] for row in table.rows}
    for dtype in check_grads.DTYPES:
        assert rows[f"{dtype}, right, {check_grads.JAX}"] == ["0", "0", "2"]
        assert rows[f"{dtype}, wrong, {check_grads.JAX}"] == ["2", "0", "0"]
    assert "not installed" not in table.text


def test_a_page_without_the_marks_is_not_written():
    with pytest.raises(SystemExit, match="lacks the lines <!-- engine: begin -->"):
        replaced("# Benchmarks\n", "engine", "")


def test_every_contestant_has_its_turn_in_every_round():
    turns = []
    seconds = timing.best({"a": lambda: turns.append("a"), "b": lambda: turns.append("b")}, 3)
    assert turns == ["a", "b"] * 3
    assert set(seconds) == {"a", "b"}
    assert all(0 <= s < float("inf") for s in seconds.values())


def test_processes_are_timed_by_their_own_clock():
    turns = []

    def start(name):
        turns.append(name)
        if name == "another":
            subprocess.run([sys.executable, "-S", "-c", ""], check=True)

    contestants = {name: partial(start, name) for name in ("another", "none")}
    seconds = timing.of_children(contestants, 2)
    assert turns == ["another", "none"] * 2
    assert all(s > 0 for s in seconds["another"])
    # What this process does meanwhile is not counted.
    assert seconds["none"] == [0.0, 0.0]


def test_growth_tells_what_stays_from_what_was_needed_for_a_moment():
    def work():
        for_a_moment = np.zeros(10**5)
        return for_a_moment[: 10**4].copy()

    with memory.traced():
        kept, stays, peak = memory.growth(work)
    assert kept.nbytes <= stays < kept.nbytes + 10**4
    assert peak >= 8 * (10**5 + 10**4)


def test_a_table_says_whether_its_aim_is_reached():
    table = Table("T", "What was run.", ["", "s"], [["a", "1"]], [Aim("of a", 1, 0.5), Aim("of b", 1, 2)])
    assert "of a at most 1. Found 0.5: reached." in table.plain()
    assert "of b at most 1. Found 2: not reached." in table.plain()


def test_the_page_is_linked():
    assert "\nbenchmarks\n" in (ROOT / "docs/index.md").read_text(encoding="utf-8")
