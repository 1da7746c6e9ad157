"""``python -m pytest_gradcheck``: reports after the run: shown, converted, merged, compared.

Exit status 0 is fine, 1 a rule that is broken, 2 a wrong use, as everywhere.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from pytest_gradcheck import reports
from pytest_gradcheck.errors import InvalidArgument
from pytest_gradcheck.plugin import flags, settings
from pytest_gradcheck.records import baseline, gate, load, merge
from pytest_gradcheck.reports import terminal
from pytest_gradcheck.reports.ranking import headline


class Said(NamedTuple):
    """What a command has to say: lines to print, and rules that are broken."""

    lines: Sequence[str]
    broken: Sequence[gate.Violation] = ()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one of the commands and return the exit status."""
    parser = _parser()
    wish = parser.parse_args(arguments)
    try:
        said: Said = wish.run(wish)
        _print(said.lines)
    except (InvalidArgument, pytest.UsageError) as error:
        print(f"{parser.prog} {wish.command}: error: {error}", file=sys.stderr)
        return 2
    for violation in said.broken:
        print(f"gradcheck: {violation}", file=sys.stderr)
    return 1 if said.broken else 0


def _print(lines: Sequence[str]) -> None:
    """Print lines in whatever encoding there is, to whoever is still reading."""
    encoding = sys.stdout.encoding or "utf-8"
    text = "".join(f"{line}\n" for line in lines).encode(encoding, "backslashreplace").decode(encoding)
    try:
        print(text, end="", flush=True)
    except OSError as error:
        # The interpreter would try once more when it ends, and complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if not isinstance(error, BrokenPipeError):
            raise pytest.UsageError(f"the output could not be written: {error.strerror}") from error


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
    merge.add_argument(
        "--cov-fail-under",
        metavar="[WAY:]PERCENT",
        help="exit with 1 if fewer of the hand-written gradients were run by checks that passed",
    )
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
        default=f"{flags.FACTOR:g}",
        help="how many times the margin of a check that passes may grow (default: %(default)s)",
    )
    compare.set_defaults(run=_compare)
    return parser


def _show(wish: argparse.Namespace) -> Said:
    report = load.read(wish.report, "REPORT")
    if wish.output is None:
        return Said(terminal.whole_report(report))
    _write(wish.output, report)
    return Said([])


def _merge(wish: argparse.Namespace) -> Said:
    fail_under = None if wish.fail_under is None else settings.parse_percent(wish.fail_under, "--fail-under")
    at_most = (
        None
        if wish.max_inconclusive is None
        else settings.parse_count(wish.max_inconclusive, "--max-inconclusive")
    )
    covered = {}
    if wish.cov_fail_under is not None:
        covered = settings.parse_percent_by_way(wish.cov_fail_under, "--cov-fail-under")
    merged = merge.merge([load.read(path, "REPORT") for path in wish.reports])
    if covered and not merged["coverage"]:
        raise InvalidArgument(
            "--cov-fail-under", "reports without coverage", "write them with --gradcheck-cov=PACKAGE"
        )
    gated = fail_under is not None or at_most is not None
    broken = gate.judge(merged["checks"], fail_under=fail_under, max_inconclusive=at_most) if gated else []
    broken += gate.below_coverage(merged["coverage"], covered) if covered else []
    merged["gate"] = [asdict(violation) for violation in broken]
    _write(wish.output, merged)
    lines = [headline(merged["summary"]), *terminal.coverage_lines(merged["coverage"], quiet=False)]
    for what in ("duplicates", "conflicts"):
        for entry in merged["merged"][what]:
            lines.append(f"{what.removesuffix('s')}: {entry['nodeid']}: {entry['name']}")
    return Said(lines, broken)


def _compare(wish: argparse.Namespace) -> Said:
    factor = settings.parse_factor(wish.factor, "--factor")
    old = baseline.read(wish.old, "OLD")
    new = load.read(wish.new, "NEW")
    broken = gate.against_baseline(new["checks"], old, factor=factor)
    if broken:
        return Said([], broken)
    known = sum((check["nodeid"], check["name"]) in old for check in new["checks"])
    compared = f"{known} check{'' if known == 1 else 's'} compared"
    return Said([f"nothing is worse: {compared}, {len(new['checks']) - known} new"])


def _write(text: str, report: Mapping[str, Any]) -> None:
    target = settings.parse_report(text, "--output", Path.cwd())
    settings.check_paths([target.path], "--output")
    try:
        reports.write_report(target.format, target.path, report)
    except OSError as error:
        raise pytest.UsageError(f"--output: {target.path} not written: {error.strerror}") from error


if __name__ == "__main__":
    sys.exit(main())
