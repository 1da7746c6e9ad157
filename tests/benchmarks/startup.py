"""What pytest costs with the plugin installed: unused and used, next to bare pytest and pytest-benchmark.

Every run is a process of its own, as a person starts it. Of all plugins that are installed it loads the one
on trial and no other.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from importlib.metadata import entry_points
from pathlib import Path

from tests.benchmarks import timing
from tests.benchmarks.tables import Aim, Ratio, Table, figures

PACKAGES = ("pytest", "pytest-benchmark", "hypothesis", "numpy", "torch")
BARE, OURS, PEER = "bare pytest", "pytest-gradcheck", "pytest-benchmark"
#: By contestant the name under which its plugin is installed.
PLUGINS = {OURS: "gradcheck", PEER: "benchmark"}
ENTRY = "pytest_gradcheck.plugin"
HEAVY = ("numpy", "hypothesis", "torch")

#: The limit that a user would not notice.
UNUSED_MS = 5

UNUSED = """
import pytest

@pytest.mark.parametrize("number", range({tests}))
def test_it(number):
    pass
"""

DRAWN = """
from hypothesis import given, settings, strategies as st
import numpy as np
{more}

@settings(max_examples=1, database=None, deadline=None)
@given(x=st.floats(1, 2))
def test_it(x):
    np.sin(x)
"""

#: torch's first backward pass from a cotangent imports sympy.
ONE_PASS = """
import torch

one = torch.ones(1, requires_grad=True)
torch.autograd.grad(one, one, torch.ones(1))
"""

MARKED = """
import numpy as np
import pytest
from hypothesis import settings, strategies as st

@pytest.mark.gradcheck(x=st.floats(1, 2){options})
@settings(max_examples=1, database=None)
def test_it(x):
    return np.sin(x)
"""

MARKED_WITHOUT_TORCH = MARKED.format(options=', methods=["central", "reference"]')
MARKED_WITH_ALL = MARKED.format(options="")

BENCHMARK = """
def test_it(benchmark):
    benchmark.pedantic(int, rounds=1)
"""

COUNTING = """
import json
import sys

counts = dict.fromkeys({heavy}, 0)


class Counter:
    def find_spec(name, path, target=None):
        if name in counts:
            counts[name] += 1


sys.meta_path.insert(0, Counter)


def pytest_unconfigure():
    print("imported:", json.dumps(counts))
"""

WITHOUT_TORCH, WITH_ALL = "marked test, differences and the engine", "marked test, all methods"


def command(contestant: str, source: str, folder: Path, *more: str) -> list[str]:
    """The command line that runs pytest on a file of this source, with one plugin or none."""
    file = folder / f"test_{abs(hash(source))}.py"
    file.write_text(source, encoding="utf-8")
    installed = {entry.name for entry in entry_points(group="pytest11")} - {PLUGINS.get(contestant)}
    left_out = [part for name in sorted(installed) for part in ("-p", f"no:{name}")]
    line = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *left_out]
    return [*line, *more, f"--rootdir={folder}", str(file)]


def environment() -> dict[str, str]:
    """As it is for a user: what was compiled once is read the next time."""
    return {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE" and k[:7] != "PYTEST_"}


def started(line: Sequence[str]) -> tuple[str, str]:
    """Run it to the end, and return what it wrote to the standard output and error."""
    done = subprocess.run(line, env=environment(), capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        raise AssertionError(done.stdout + done.stderr)
    return done.stdout, done.stderr


def compared(contestants: dict[str, Sequence[str]], rounds: int) -> dict[str, list[float]]:
    """Milliseconds on the processor's clock of each process, in rounds in which they take turns.

    The first round is not counted: in it the files of the test and of the package may have to be compiled.
    """
    runs: dict[str, Callable[[], object]] = {
        name: partial(started, line) for name, line in contestants.items()
    }
    seconds = timing.of_children(runs, rounds if rounds == 1 else rounds + 1)
    return {name: [s * 1e3 for s in found][-rounds:] for name, found in seconds.items()}


def over(times: Sequence[float], base: Sequence[float]) -> float:
    """How many milliseconds more than the base the least of each are: noise only ever adds time."""
    return min(times) - min(base)


def row(name: str, times: Sequence[float], base: Sequence[float]) -> list[str]:
    """A line of a table, under the heads of `columns`."""
    usual = statistics.median(a - b for a, b in zip(times, base, strict=True))
    least = figures(min(times), over(times, base), min(times) / min(base))
    return [name, *least, *figures(statistics.median(times), usual)]


def columns(base: str) -> list[str]:
    """The heads of a table whose rows are compared with a base."""
    return ["", "ms", f"over {base}, ms", f"of {base}", "median, ms", f"median over {base}"]


def unused(folder: Path, quick: bool) -> Table:
    """Tests that know nothing of the plugins."""
    rows, aims = [], []
    least: dict[str, list[float]] = {BARE: [], PEER: []}
    for tests, rounds in ((1, 1),) if quick else ((1, 31), (1000, 7)):
        source = UNUSED.format(tests=tests)
        lines = {who: command(who, source, folder) for who in (BARE, OURS, PEER)}
        times = compared(lines, rounds)
        of = f"{tests:,} test{'s' if tests > 1 else ''}"
        rows += [row(f"{of}, {who}", times[who], times[BARE]) for who in times]
        for who, ratios in least.items():
            ratios.append(min(times[OURS]) / min(times[who]))
        if tests == 1:
            aims.append(Aim(f"{OURS} over {BARE}, {of}, ms", UNUSED_MS, over(times[OURS], times[BARE])))
    return Table(
        "Installed and unused",
        "pytest on a file of tests that do nothing, without any plugin, with this one and with "
        "`pytest-benchmark`.",
        columns("bare"),
        rows,
        aims,
        [Ratio(f"pytest with the plugin unused, over {who}", ratios) for who, ratios in least.items()],
    )


def used(folder: Path, quick: bool) -> Table:
    """Time one test that uses a plugin, and one that imports the same libraries without it."""
    groups = {
        "`@given`, numpy": {
            BARE: (BARE, DRAWN.format(more="")),
            WITHOUT_TORCH: (OURS, MARKED_WITHOUT_TORCH),
        },
        "`@given`, numpy, torch and a backward pass": {
            BARE: (BARE, DRAWN.format(more=ONE_PASS)),
            WITH_ALL: (OURS, MARKED_WITH_ALL),
        },
        "empty test": {
            BARE: (BARE, UNUSED.format(tests=1)),
            "`benchmark.pedantic`, one round": (PEER, BENCHMARK),
        },
    }
    if quick:
        # To import the libraries takes longer than all else here.
        groups = {name: group for name, group in groups.items() if "numpy" not in name}
    rows, ratios = [], []
    for base, contestants in groups.items():
        lines = {name: command(who, source, folder) for name, (who, source) in contestants.items()}
        times = compared(lines, 1 if quick else 5)
        rows += [row(f"{BARE}, {base}" if who == BARE else who, times[who], times[BARE]) for who in times]
        ratios += [min(times[who]) / min(times[BARE]) for who in (WITHOUT_TORCH, WITH_ALL) if who in times]
    return Table(
        "Used",
        "One test of one example, next to a test without the plugin that imports the same libraries and "
        "draws the same number with Hypothesis.",
        columns("the bare one"),
        rows,
        ratios=[Ratio("a marked test of one example, over the same test without the plugin", ratios)],
    )


def entry_point(quick: bool) -> float:
    """The least milliseconds to import what pytest loads, with what it imports and pytest itself does not."""
    started_by_pytest = "from _pytest.config import get_config; get_config()"
    line = [sys.executable, "-X", "importtime", "-c", f"{started_by_pytest}; import {ENTRY}"]
    found = [started(line)[1].splitlines()[-1] for _ in range(1 if quick else 15)]
    assert all(last.endswith(f"| {ENTRY}") for last in found), found
    return min(int(last.split("|")[1]) / 1e3 for last in found)


def imports(folder: Path, quick: bool) -> Table:
    """What is imported, and how often."""
    sources = {
        "unused": (UNUSED.format(tests=1), ()),
        WITHOUT_TORCH: (MARKED_WITHOUT_TORCH, ("numpy", "hypothesis")),
        **({} if quick else {WITH_ALL: (MARKED_WITH_ALL, HEAVY)}),
    }
    (folder / "conftest.py").write_text(COUNTING.format(heavy=HEAVY), encoding="utf-8")
    rows, most = [], 0
    for name, (source, needed) in sources.items():
        output = started(command(OURS, source, folder, "-s"))[0]
        counts = json.loads(output.partition("imported: ")[2].splitlines()[0])
        # Another way to import, that is not seen, would make the numbers worthless.
        assert {library for library in HEAVY if counts[library]} == set(needed), (name, counts)
        most = max(most, *counts.values())
        rows.append([name, *(str(counts[library]) for library in HEAVY)])
    ms = entry_point(quick)
    return Table(
        "Imports",
        f"How often each heavy library is looked for, to be imported. `{ENTRY}`, which pytest loads, takes "
        f"{figures(ms)[0]} ms with all that it imports and pytest itself does not, by "
        "`python -X importtime`, which makes imports slower.",
        ["", *HEAVY],
        rows,
        [
            Aim(f"import of `{ENTRY}`, ms", UNUSED_MS, ms),
            Aim("imports of a heavy library", 1, most),
        ],
    )


def run(quick: bool) -> Iterator[Table]:
    """All of it; `quick` in one round."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        yield unused(folder, quick)
        yield used(folder, quick)
        yield imports(folder, quick)
