"""`python -m tests.benchmarks`: run every benchmark, or those that are named, and print the tables."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
import time
import traceback
from pathlib import Path

# Before NumPy and torch start their threads: a thread more would be time on the processor's clock.
for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_variable] = "1"

# JAX has threads of its own, which would count as well.
os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false")

from docs.benchmarks_page import stored  # noqa: E402  after the threads are limited
from docs.benchmarks_page.questions import blocks, replaced  # noqa: E402  the same
from tests.benchmarks.tables import circumstances  # noqa: E402  the same

HERE = Path(__file__).parent
PAGE = HERE.parents[1] / "docs/benchmarks.md"
DATA = stored.DATA

#: Pages of the reference that say what is detected, of the module `tests.benchmarks.pages`.
PAGES = ("diagnoses", "places", "calibration", "verdicts")


def names() -> list[str]:
    """The benchmarks there are, found without importing them."""
    return sorted(path.stem for path in HERE.glob("*.py") if "\ndef run(" in path.read_text(encoding="utf-8"))


def main(arguments: list[str]) -> None:
    """Run the parts that were asked for."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    every = [*names(), *PAGES]
    parser.add_argument(
        "names",
        nargs="*",
        metavar="PART",
        help=f"which: {', '.join(every)}; without any, all, but that verdicts, hours, only print their page",
    )
    parser.add_argument("--quick", action="store_true", help="tiny sizes, to see that it runs")
    parser.add_argument(
        "--write", action="store_true", help="store what was found in docs/data, and write the pages"
    )
    given = parser.parse_args(arguments)
    if given.quick and given.write:
        parser.error("--write: got --quick too, whose figures are none; leave one of them out")
    unknown = [name for name in given.names if name not in every]
    if unknown:
        parser.error(f"PART: got {unknown[0]!r}; choose from {', '.join(every)}")
    parts = given.names or every
    if given.write:
        # Before hours of work: a page without a place for the figures is found out now.
        written(PAGE.read_text(encoding="utf-8"))
    failed = []
    for name in parts:
        start = time.monotonic()
        try:
            part(name, given)
            how = ""
        except Exception as error:
            # The others' figures are not lost for it.
            traceback.print_exc()
            failed.append(f"{name} ({type(error).__name__})")
            how = ", FAILED: its stored figures stay as they were"
        print(f"({name}: {time.monotonic() - start:.0f} s{how})\n", file=sys.stderr, flush=True)
    if given.write:
        PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    if failed:
        raise SystemExit(f"failed: {', '.join(failed)}; the other parts are whole")


def part(name: str, given: argparse.Namespace) -> None:
    """Run one part as it was asked for."""
    if name in PAGES:
        # Hours are taken by those who ask for them.
        write = given.write and (name != "verdicts" or name in given.names)
        if name == "verdicts" and not (write or given.quick):
            print("The stored page; `python -m tests.benchmarks verdicts --write` runs the sweeps.\n")
        print(page_of(name, quick=given.quick, write=write), flush=True)
    else:
        benchmark(name, quick=given.quick, write=given.write)


def benchmark(name: str, *, quick: bool, write: bool) -> None:
    """Run one part, print its tables, and store them if asked to."""
    module = importlib.import_module(f"tests.benchmarks.{name}")
    said = circumstances(f"python -m tests.benchmarks {name}{' --quick' * quick}", module.PACKAGES)
    print(f"{said}\n", flush=True)
    tables = []
    for table in module.run(quick):
        tables.append(table.stored(name, said))
        print(table.plain(), flush=True)
    if write:
        stored.replace(name, tables, DATA)


def written(page: str) -> str:
    """Return the page with the short tables of what is stored."""
    for name, section in blocks(list(stored.every(DATA))).items():
        page = replaced(page, name, section)
    return page


def page_of(name: str, *, quick: bool, write: bool) -> str:
    """What a page of the reference says, a few lines of it if quick, written to its place or not."""
    from tests.benchmarks import pages

    page = pages.PAGES[name]
    if quick:
        return page.few()
    if not write:
        return page.text()
    page.write()
    return page.path.read_text(encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
