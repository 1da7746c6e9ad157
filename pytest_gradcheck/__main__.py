"""``python -m pytest_gradcheck``: reports after the run: shown, converted, merged, compared.

Exit status 0 is fine, 1 a rule that is broken, 2 a wrong use, as everywhere.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from pytest_gradcheck import baseline, gate, merging, options, reports
from pytest_gradcheck.core.errors import InvalidArgument
from pytest_gradcheck.reports import terminal
from pytest_gradcheck.reports.ranking import headline


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one of the commands and return the exit status."""
    parser = _parser()
    said = parser.parse_args(arguments)
    try:
        status: int = said.run(said)
    except (InvalidArgument, pytest.UsageError) as error:
        print(f"{parser.prog} {said.command}: error: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"{parser.prog} {said.command}: error: {error.filename}: {error.strerror}", file=sys.stderr)
        return 2
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m pytest_gradcheck", description=(__doc__ or "").split("\n")[0])
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    show = commands.add_parser("show", help="print a report, or convert it")
    show.add_argument("report", type=Path, metavar="REPORT.json")
    show.set_defaults(run=_show)

    merge = commands.add_parser("merge", help="make one report of several")
    merge.add_argument("reports", type=Path, nargs="+", metavar="REPORT.json")
    merge.add_argument("--fail-under", metavar="PERCENT", help="exit with 1 if fewer of the checks pass")
    merge.add_argument("--max-inconclusive", metavar="COUNT", help="exit with 1 if more are inconclusive")
    merge.set_defaults(run=_merge)

    for command, required in ((show, False), (merge, True)):
        command.add_argument(
            "-o",
            "--output",
            metavar="[TYPE:]PATH",
            required=required,
            help=f"where to write it; the ending or TYPE says how: {', '.join(reports.FORMATS)}",
        )

    compare = commands.add_parser("compare", help="exit with 1 if a report is worse than an older one")
    compare.add_argument("old", type=Path, metavar="OLD", help="a report or a baseline")
    compare.add_argument("new", type=Path, metavar="NEW", help="a report")
    compare.add_argument(
        "--factor",
        default=f"{gate.FACTOR:g}",
        help="how many times the margin of a check that passes may grow (default: %(default)s)",
    )
    compare.set_defaults(run=_compare)
    return parser


def _show(said: argparse.Namespace) -> int:
    report = merging.read_report(said.report, "REPORT")
    if said.output is None:
        print("\n".join(terminal.whole_report(report)))
        return 0
    _write(said.output, report)
    return 0


def _merge(said: argparse.Namespace) -> int:
    fail_under = None if said.fail_under is None else options.parse_percent(said.fail_under, "--fail-under")
    at_most = (
        None
        if said.max_inconclusive is None
        else options.parse_count(said.max_inconclusive, "--max-inconclusive")
    )
    merged = merging.merge([merging.read_report(path, "REPORT") for path in said.reports])
    gated = fail_under is not None or at_most is not None
    broken = gate.judge(merged["checks"], fail_under=fail_under, max_inconclusive=at_most) if gated else []
    merged["gate"] = [asdict(violation) for violation in broken]
    _write(said.output, merged)
    print(headline(merged["summary"]))
    for what in ("duplicates", "conflicts"):
        for entry in merged["merged"][what]:
            print(f"{what.removesuffix('s')}: {entry['nodeid']}: {entry['name']}")
    return _say(broken)


def _compare(said: argparse.Namespace) -> int:
    factor = options.parse_factor(said.factor, "--factor")
    old = baseline.read(said.old, "OLD")
    new = merging.read_report(said.new, "NEW")
    broken = gate.against_baseline(new["checks"], old, factor=factor)
    if not broken:
        known = sum((check["nodeid"], check["name"]) in old for check in new["checks"])
        print(f"nothing is worse: {known} checks compared, {len(new['checks']) - known} new")
    return _say(broken)


def _write(text: str, report: Mapping[str, Any]) -> None:
    target = options.parse_report(text, "--output", Path.cwd())
    options.check_report_paths([target], "--output")
    reports.write_report(target.format, target.path, report)


def _say(broken: Sequence[gate.Violation]) -> int:
    for violation in broken:
        print(f"gradcheck: {violation}", file=sys.stderr)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
