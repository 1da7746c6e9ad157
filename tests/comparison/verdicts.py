"""Record what checks find, and compare two recordings: the same verdicts before and after a change.

    python -m tests.comparison.verdicts record OUT.json [--part PART ...] [--repeat N]
    python -m tests.comparison.verdicts compare BEFORE.json AFTER.json

``record`` runs torch's operators with right and with broken backwards, the planted faults, every option, and
the checks of some test files, about ten minutes in all. Each part runs in a process of its own, in the tree
whose ``pytest_gradcheck`` is imported. To record another tree that lacks this script, copy the folder
``tests/comparison`` somewhere and put both on the path:

    cd SCRATCH && PYTHONPATH=TREE:SCRATCH python -m tests.comparison.verdicts record OUT.json

``compare`` prints every difference by field, and exits with 1 if a verdict, a culprit, a code or a label
differs, or a check is gone. Texts that differ in nothing but their numbers are counted apart. Each side may
be several recordings of the same tree, joined by commas: the first gives the verdicts, all of them the CPU
times, of which the least counts.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

# Before NumPy and torch start their threads, which would add up in another order, and as CPU time.
for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_variable] = "1"

from tests.comparison import comparing, parts, recorder  # noqa: E402  after the threads are limited

PROGRAM = "python -m tests.comparison.verdicts"


def record(out: Path, chosen: Sequence[str], *, repeat: int, few: bool) -> int:
    """Record parts into a file, where they replace the same parts; the exit status."""
    recorded = recorder.load(out) if out.exists() else {}
    print(f"recording {recorder.ROOT} into {out}", file=sys.stderr)
    failed = []
    for name in chosen:
        start = time.monotonic()
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "part.json"
            status = _apart(name, path, repeat=repeat, few=few)
            # Killed by a signal, for example: the other parts are still worth having.
            found = recorder.load(path) if path.exists() else {}
        if status or not found:
            failed.append(name)
        else:
            recorded.update(found)
            recorder.save(out, recorded)
            print(f"{_in_short(name, found[name])}, {time.monotonic() - start:.0f} s in all", file=sys.stderr)
    if failed:
        print(f"not recorded: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


def _in_short(name: str, found: Mapping[str, Any]) -> str:
    """A line on a part: its checks by verdict or exception, and its time."""
    counts = Counter(entry["error"] or entry["verdict"] for entry in found["checks"].values())
    kinds = ", ".join(f"{count} {kind}" for kind, count in counts.most_common())
    return f"{name}: {len(found['checks'])} checks ({kinds}), {found['cpu']:.1f} s of CPU"


def _apart(name: str, path: Path, *, repeat: int, few: bool) -> int:
    """Run one part in a process of its own: what ran before it must not matter."""
    folders = [str(recorder.ROOT), str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")]
    command = [sys.executable, "-m", "tests.comparison.verdicts", "part", name, str(path)]
    return subprocess.run(
        [*command, f"--repeat={repeat}", *["--few"] * few],
        cwd=recorder.ROOT,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, folders))},
        # What pytest prints; a part that fails is run again by itself to see it.
        stdout=subprocess.DEVNULL,
    ).returncode


def part(name: str, path: Path, *, repeat: int, few: bool) -> int:
    """Run one part in this process and write it; the exit status."""
    import numpy as np
    import torch

    torch.set_num_threads(1)
    keeps = recorder.Recorder(repeat)
    # What is loaded by the first check would count as its time.
    keeps.attempt("warm", np.sin, 0.3)
    keeps.attempt("warm", torch.sin, torch.ones(2, dtype=torch.float64))
    keeps.entries.clear()
    keeps.install()
    start = os.times()
    parts.run(name, keeps, few=few)
    end = os.times()
    cpu = sum(end[:4]) - sum(start[:4])
    recorder.save(path, {name: {"cpu": cpu, "checks": keeps.entries}})
    return 0


def main(arguments: Sequence[str]) -> int:
    """Do what the command line says; the exit status."""
    parser = argparse.ArgumentParser(
        prog=PROGRAM, description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    recording = commands.add_parser("record", help="run checks and write what they find")
    recording.add_argument("out", type=Path, metavar="OUT.json")
    recording.add_argument("--part", nargs="+", choices=list(parts.PARTS), default=list(parts.PARTS))
    single = commands.add_parser("part", help="run one part in this process; used by record")
    single.add_argument("name", choices=list(parts.PARTS))
    single.add_argument("out", type=Path, metavar="OUT.json")
    for each in (recording, single):
        each.add_argument("--repeat", type=int, default=1, help="run each check so often, for its CPU time")
        each.add_argument("--few", action="store_true", help=f"only {parts.FEW} cases a part, to try it out")
    both = commands.add_parser("compare", help="print what differs between two recordings")
    both.add_argument("before", metavar="BEFORE.json[,...]")
    both.add_argument("after", metavar="AFTER.json[,...]")
    given = parser.parse_args(arguments)
    if given.command == "record":
        return record(given.out.resolve(), given.part, repeat=given.repeat, few=given.few)
    if given.command == "part":
        return part(given.name, given.out, repeat=given.repeat, few=given.few)
    before, after = (
        [recorder.load(Path(p)) for p in side.split(",")] for side in (given.before, given.after)
    )
    text, same = comparing.compared(before, after)
    print(text)
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
