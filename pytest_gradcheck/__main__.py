"""Command line: show, convert, merge and compare reports, and rerun a test of one.

The exit status is 1 if a rule is broken, 2 for a wrong use, else 0.
"""

from __future__ import annotations

import argparse
import difflib
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

from pytest_gradcheck import reports
from pytest_gradcheck.errors import InvalidArgument
from pytest_gradcheck.records import baseline, gate, load, merge, thresholds
from pytest_gradcheck.records.record import count, key
from pytest_gradcheck.reports import terminal
from pytest_gradcheck.reports.ranking import headline
from pytest_gradcheck.reports.targets import check_paths, parse_report


class Outcome(NamedTuple):
    """The outcome of a command: lines to print, and the rules that were violated."""

    lines: Sequence[str]
    broken: Sequence[gate.Violation] = ()
    status: int = 0


class NotWritten(Exception):  # noqa: N818  named for the state of the file
    """Raised if a report or the output could not be written."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one of the commands and return the exit status."""
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        outcome: Outcome = options.run(options)
        _print(outcome.lines)
    except (InvalidArgument, NotWritten) as error:
        print(f"{parser.prog} {options.command}: error: {error}", file=sys.stderr)
        return 2
    for violation in outcome.broken:
        print(f"gradcheck: {violation}", file=sys.stderr)
    return 1 if outcome.broken else outcome.status


def _print(lines: Sequence[str]) -> None:
    """Print lines in the encoding of the output; a closed pipe is ignored."""
    encoding = sys.stdout.encoding or "utf-8"
    text = "".join(f"{line}\n" for line in lines).encode(encoding, "backslashreplace").decode(encoding)
    try:
        print(text, end="", flush=True)
    except OSError as error:
        # The interpreter would flush again at exit, and print an error.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if not isinstance(error, BrokenPipeError):
            raise NotWritten(f"the output could not be written: {error.strerror}") from error


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m pytest_gradcheck", description=(__doc__ or "").split("\n")[0])
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    show = commands.add_parser("show", help="print a report, or convert it")
    show.add_argument("report", type=Path, metavar="REPORT.json")
    show.set_defaults(run=_show)

    merge = commands.add_parser("merge", help="merge several reports into one")
    merge.add_argument("reports", type=Path, nargs="+", metavar="REPORT.json")
    merge.add_argument("--fail-under", metavar="PERCENT", help="exit with 1 if fewer of the checks pass")
    merge.add_argument("--max-inconclusive", metavar="COUNT", help="exit with 1 if more are inconclusive")
    fewer = "exit with 1 if fewer of the hand-written gradients were run by checks that passed"
    merge.add_argument("--cov-fail-under", metavar="[WAY:]PERCENT", help=fewer)
    merge.set_defaults(run=_merge)

    for command, required in ((show, False), (merge, True)):
        how = f"where to write it; the file extension or TYPE sets the format: {', '.join(reports.FORMATS)}"
        command.add_argument("-o", "--output", metavar="[TYPE:]PATH", required=required, help=how)

    again = commands.add_parser("replay", help="rerun a test at the inputs stored in a report")
    again.add_argument("report", type=Path, metavar="REPORT", help="a JSON or HTML report")
    again.add_argument(
        "nodeid", metavar="NODEID", help="the test's node id in the report; a prefix is enough"
    )
    again.set_defaults(run=_replay)

    compare = commands.add_parser("compare", help="exit with 1 if a report is worse than an older one")
    compare.add_argument("old", type=Path, metavar="OLD", help="a report or a baseline")
    compare.add_argument("new", type=Path, metavar="NEW", help="a report")
    growth = "factor by which the margin of a passing check may grow (default: %(default)s)"
    compare.add_argument("--factor", default=f"{thresholds.FACTOR:g}", help=growth)
    compare.set_defaults(run=_compare)
    return parser


def _show(options: argparse.Namespace) -> Outcome:
    report = load.read(options.report, "REPORT")
    if options.output is None:
        return Outcome(terminal.whole_report(report))
    _write(options.output, report)
    return Outcome([])


def _merge(options: argparse.Namespace) -> Outcome:
    limits = {
        name: parse(text, f"--{name.replace('_', '-')}")
        for name, parse in thresholds.PARSERS.items()
        if (text := getattr(options, name, None)) is not None
    }
    covered = limits.pop("cov_fail_under", None)
    merged = merge.merge([load.read(path, "REPORT") for path in options.reports])
    if covered and not merged["coverage"]:
        remedy = "write them with --gradcheck-cov=PACKAGE"
        raise InvalidArgument("--cov-fail-under", "reports without coverage", remedy)
    broken = gate.judge(merged["checks"], **limits) if limits else []
    broken += gate.below_coverage(merged["coverage"], covered) if covered else []
    merged["gate"] = [asdict(violation) for violation in broken]
    _write(options.output, merged)
    lines = [headline(merged["summary"]), *terminal.coverage_lines(merged["coverage"], quiet=False)]
    for kind in ("duplicates", "conflicts"):
        for entry in merged["merged"][kind]:
            lines.append(f"{kind.removesuffix('s')}: {entry['nodeid']}: {entry['name']}")
    return Outcome(lines, broken)


def _compare(options: argparse.Namespace) -> Outcome:
    factor = thresholds.parse_factor(options.factor, "--factor")
    old = baseline.read(options.old, "OLD")
    new = load.read(options.new, "NEW")["checks"]
    broken = gate.against_baseline(new, old, factor=factor)
    if broken:
        return Outcome([], broken)
    known = sum(key(check) in old for check in new)
    return Outcome([f"nothing is worse: {count(known, 'check')} compared, {len(new) - known} new"])


def _replay(options: argparse.Namespace) -> Outcome:
    checks = load.read(options.report, "REPORT")["checks"]
    found = [check for check in checks if check["nodeid"] == options.nodeid]
    if not found:
        found = [check for check in checks if check["nodeid"].startswith(options.nodeid)]
    if not found:
        known = sorted({check["nodeid"] for check in checks})
        near = difflib.get_close_matches(options.nodeid, known, 1)
        remedy = f"did you mean {near[0]}?" if near else f"it has {', '.join(known[:3]) or 'no checks'}"
        raise InvalidArgument("NODEID", f"{options.nodeid!r}, which is not in the report", remedy)
    able = [check for check in found if check.get("replayable", True)]
    if not able:
        got = f"{found[0]['nodeid']}, which draws its inputs with its own @given and calls a fixture"
        raise InvalidArgument("NODEID", got, "run it with pytest, which tries the last failing example first")
    import pytest

    # This package is imported already, and has no assertions to rewrite.
    plugin = ("-p", "pytest_gradcheck.plugin.replay", "-W", "ignore::pytest.PytestAssertRewriteWarning")
    nodeids = dict.fromkeys(check["nodeid"] for check in able)
    report = f"--gradcheck-replayed-report={options.report}"
    return Outcome([], status=int(pytest.main([*plugin, report, "-p", "no:cacheprovider", *nodeids])))


def _write(text: str, report: Mapping[str, Any]) -> None:
    target = parse_report(text, "--output", Path.cwd())
    check_paths([target.path], "--output")
    try:
        reports.write_report(target.format, target.path, report)
    except OSError as error:
        raise NotWritten(f"--output: {target.path} not written: {error.strerror}") from error


if __name__ == "__main__":
    sys.exit(main())
