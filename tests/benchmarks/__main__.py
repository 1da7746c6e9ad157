"""`python -m tests.benchmarks NAME`: run one benchmark and print its tables."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from pathlib import Path

# Before NumPy and torch start their threads: a thread more would be time on the processor's clock.
for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_variable] = "1"

from tests.benchmarks.tables import circumstances  # noqa: E402  after the threads are limited

HERE = Path(__file__).parent
PAGE = HERE.parents[1] / "docs/benchmarks.md"


def names() -> list[str]:
    """The benchmarks there are, found without importing them."""
    return sorted(path.stem for path in HERE.glob("*.py") if "\ndef run(" in path.read_text(encoding="utf-8"))


def replaced(page: str, name: str, section: str) -> str:
    """`page` with `section` between the two marks of this benchmark."""
    begin, end = f"<!-- {name}: begin -->\n", f"<!-- {name}: end -->\n"
    head, found, rest = page.partition(begin)
    _, closed, tail = rest.partition(end)
    if not (found and closed):
        raise SystemExit(f"{PAGE.name} lacks the lines {begin.strip()} and {end.strip()} around the figures")
    return f"{head}{begin}\n{section}\n{end}{tail}"


def main(arguments: list[str]) -> None:
    """Run the benchmark that was asked for."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("name", choices=names())
    parser.add_argument("--quick", action="store_true", help="tiny sizes, to see that it runs")
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--markdown", action="store_true", help="print Markdown")
    how.add_argument("--write", action="store_true", help="put the tables into docs/benchmarks.md")
    given = parser.parse_args(arguments)
    benchmark = importlib.import_module(f"tests.benchmarks.{given.name}")
    said = circumstances(" ".join([parser.prog, *arguments]), benchmark.PACKAGES)
    section = [said, ""]
    print(f"{said}\n", flush=True)
    for table in benchmark.run(given.quick):
        section.append(table.markdown())
        print(section[-1] if given.markdown else table.plain(), flush=True)
    markdown = "\n".join(section)
    if given.write:
        PAGE.write_text(replaced(PAGE.read_text(encoding="utf-8"), given.name, markdown), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
