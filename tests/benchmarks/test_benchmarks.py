"""The benchmarks run, at tiny sizes, and compare what is the same. No time is asserted here."""

from __future__ import annotations

import subprocess
import sys
from functools import partial

import pytest
from pages import ROOT

np = pytest.importorskip("numpy")
pytest.importorskip("autograd")
pytest.importorskip("micrograd")
pytest.importorskip("torch")

from tests.benchmarks import __main__, engine, memory, pages, timing  # noqa: E402  where all that they need is there
from tests.benchmarks.tables import Aim, Table  # noqa: E402  where all that it needs is there

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


@pytest.mark.parametrize("name", __main__.names())
def test_each_benchmark_runs_and_its_tables_have_a_place_on_the_page(name, capsys):
    assert __main__.main([name, "--quick", "--markdown"]) is None
    printed = capsys.readouterr().out
    assert printed.startswith("Measured on ")
    assert "load average" in printed.splitlines()[0]
    tables = [block for block in printed.split("\n\n") if block.startswith("|")]
    assert tables
    for table in tables:
        assert len({line.count("|") for line in table.splitlines()}) == 1
        assert table.count("\n") > 2
    page = __main__.replaced(__main__.PAGE.read_text(encoding="utf-8"), name, printed)
    assert printed in page
    assert __main__.replaced(page, name, printed) == page


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


def test_a_page_without_the_marks_is_not_written():
    with pytest.raises(SystemExit, match="lacks the lines <!-- engine: begin -->"):
        __main__.replaced("# Benchmarks\n", "engine", "")


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
    assert "- Aim: of b at most 1. Found 2: **not reached**." in table.markdown()


def test_the_page_is_linked():
    assert "\nbenchmarks\n" in (ROOT / "docs/index.md").read_text(encoding="utf-8")
