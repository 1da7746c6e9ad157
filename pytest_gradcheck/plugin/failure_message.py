"""What pytest shows for a test that failed because of a wrong gradient: a message without a traceback."""

from __future__ import annotations

import dataclasses
import re
import shlex
import types
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from pytest_gradcheck.core.results import CheckResult, GradientMismatch
from pytest_gradcheck.errors import InvalidArgument
from pytest_gradcheck.plugin.session import SESSION_KEY

_OWN = Path(__file__).parents[1]

#: How messages of failures begin, and how the line of a wrong number ends.
HEADS = ("wrong gradient", "broken property", "nothing-checked")
DIFFERS = "<-- differs"

#: How Hypothesis announces the failing example, in older and newer releases.
EXAMPLE = ("Falsifying example", "Failing test case", "Falsifying explicit example", "Failing explicit")

#: A longer example is cut.
WIDEST = 160

#: Longer messages are not parsed.
MAX_LINES = 25


class _Shown(Exception):  # noqa: N818  never raised: it carries a text into pytest's own report
    """The text that stands for an exception."""


def shorten(
    report: pytest.TestReport,
    excinfo: pytest.ExceptionInfo[BaseException],
    item: pytest.Item,
    *,
    marked: bool,
) -> None:
    """Reduce the report of a test that failed because of a wrong gradient to its message.

    The traceback leads through Hypothesis and the checker, which are not at fault.
    """
    # Only pytest knows the id of a parametrized test.
    callspec = getattr(item, "callspec", None)
    case = f"[{callspec.id}]" if marked and callspec is not None else ""
    path, message = item.path, failure_message(excinfo.value, marked=marked, case=case)
    if message is None:
        return
    more = _replay(item, excinfo.value)
    if not marked:
        more += _drawn(excinfo.value)
        calls = [entry for entry in excinfo.traceback if entry.path == path]
        more += [f"  called at: {path.name}:{calls[-1].lineno + 1}"] if calls else []
    if more:
        message = "\n".join([*_cut(message.splitlines(), MAX_LINES - len(more)), *more])
    shown = pytest.ExceptionInfo.from_exception(_Shown(message).with_traceback(excinfo.tb))
    text = shown.getrepr(style="value", chain=False)
    if text.reprcrash is not None:
        # pytest's short summary shows this too, in CI in full. Once is enough.
        text.reprcrash.message = _in_one_line(excinfo.value) or message.partition("\n")[0]
    report.longrepr = text


def one_per_fault(results: Sequence[CheckResult]) -> list[CheckResult]:
    """Return the failures of a test that no other failure explains.

    A wrong gradient makes its own gradient wrong. If a failure has no culprit, one of the same test that has
    a culprit is mostly the same mistake.
    """
    kept: dict[tuple[str, str | None], CheckResult] = {}
    for result in sorted(results, key=lambda result: (result.culprit is None, result.order)):
        named = any(name == result.name and culprit is not None for name, culprit in kept)
        if not (named and result.culprit is None):
            kept.setdefault((result.name, result.culprit), result)
    return list(kept.values())


def _replay(item: pytest.Item, error: BaseException) -> list[str]:
    """Return the command that reruns a check that cannot be reproduced by a call, if a report contains it."""
    from pytest_gradcheck.core.results import is_whole
    from pytest_gradcheck.plugin import collect

    results = [leaf.result for leaf in _leaves(error) if isinstance(leaf, GradientMismatch)]
    marked = collect.is_wrapped(item)
    pasted = all(
        (marked or result.imports is not None) and all(map(is_whole, result.inputs.values()))
        for result in results
    )
    targets = item.config.stash[SESSION_KEY].settings.reports
    path = next((target.path for target in targets if target.format in ("json", "html")), None)
    if path is None or pasted or collect.draws_itself(item):
        return []
    shown = path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
    command = shlex.join(["python", "-m", "pytest_gradcheck", "replay", str(shown), item.nodeid])
    return [f"  replay:    {command}"]


def _drawn(error: BaseException) -> list[str]:
    """Return what Hypothesis drew for a test that computes its own points, in one line."""
    notes = [note for leaf in _leaves(error) for note in getattr(leaf, "__notes__", [])]
    examples = [note for note in notes if note.startswith(EXAMPLE)]
    if not examples:
        return []
    # "Falsifying example: test_it(\n    gradcheck=<fixture gradcheck>,\n    s=1.0,\n)"
    _, _, call = " ".join(examples[0].split()).partition(": ")
    call = re.sub(r"\w+=<fixture \w+>,? ?", "", call).replace("( ", "(").replace(", )", ")")
    return [f"  example:   {call[:WIDEST]}{'…' * (len(call) > WIDEST)}"]


def _in_one_line(error: BaseException) -> str | None:
    """Return what is wrong, for a summary that names the test already."""
    results = one_per_fault([leaf.result for leaf in _leaves(error) if isinstance(leaf, GradientMismatch)])
    if not results:
        return None
    result = results[0]
    more = f" (and {len(results) - 1} more)" if len(results) > 1 else ""
    # A narrow terminal cuts the line after some thirty characters.
    return f"{result.diagnosis.code}: {result.diagnosis.text}{more}"


def without_own_frames(excinfo: pytest.ExceptionInfo[BaseException]) -> pytest.ExceptionInfo[BaseException]:
    """Remove the frames of this package from a traceback, and from those of its causes.

    The fault is in the test or in what it checks. pytest walks the frames itself, so they are removed from
    the exception.
    """
    if isinstance(excinfo.value, pytest.fail.Exception):
        # It is shown without a traceback, and pytest's summary needs the frame that raised it.
        return excinfo
    error: BaseException | None = excinfo.value
    seen: list[BaseException] = []
    while error is not None and not any(error is other for other in seen):
        parts = list(_parts(error.__traceback__))
        users = [part for part in parts if _OWN not in Path(part.tb_frame.f_code.co_filename).parents]
        if users and len(users) < len(parts):
            rest: types.TracebackType | None = None
            for part in reversed(users):
                rest = types.TracebackType(rest, part.tb_frame, part.tb_lasti, part.tb_lineno)
            error.__traceback__ = rest
        seen.append(error)
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return pytest.ExceptionInfo.from_exception(excinfo.value)


def _parts(tb: types.TracebackType | None) -> Iterator[types.TracebackType]:
    while tb is not None:
        yield tb
        tb = tb.tb_next


def expand(report: pytest.TestReport, error: BaseException) -> None:
    """Add to a report that shows the messages of the failed checks what they leave out."""
    from pytest_gradcheck.core.results import render

    crash = getattr(report.longrepr, "reprcrash", None)
    if crash is not None:
        # pytest's short summary has the whole message under -vv otherwise.
        crash.message = _in_one_line(error) or crash.message
    for leaf in _leaves(error):
        if isinstance(leaf, GradientMismatch):
            shown = str(leaf).splitlines()
            more = [line for line in render(leaf.result, full=True).splitlines() if line not in shown]
            report.sections.append((f"gradcheck: {leaf.result.name}", "\n".join(more)))


def without_example(error: BaseException) -> None:
    """Remove the example that Hypothesis adds to a failure: the message shows it as source."""
    notes = getattr(error, "__notes__", [])
    if isinstance(error, GradientMismatch):
        error.__notes__ = [note for note in notes if not note.startswith(EXAMPLE)]


class Coloured:
    """A message as pytest shows it in a terminal, with the wrong number in red."""

    def __init__(self, shown: Any) -> None:
        self._shown = shown

    def __getattr__(self, name: str) -> Any:
        """Delegate to pytest's text."""
        return getattr(self._shown, name)

    def __str__(self) -> str:
        return str(self._shown)

    def toterminal(self, tw: Any) -> None:
        """Write the message; the text is the same without colours."""
        for line in str(self._shown).splitlines():
            if line.startswith(HEADS):
                tw.line(line, red=True, bold=True)
            else:
                tw.line(line, red=line.endswith(DIFFERS))


def failure_message(error: BaseException, *, marked: bool, case: str = "") -> str | None:
    """Return the message of a test that failed because of a wrong gradient or wrong use, or None.

    For a marked test the falsifying input is shown as a line that makes Hypothesis retry it. ``case`` is what
    follows the name of the test: the id of its parameters, in brackets.
    """
    leaves = _leaves(error)
    if marked and isinstance(error, InvalidArgument):
        return str(error)
    if marked and leaves == [error] and type(error).__module__.startswith("hypothesis."):
        # Hypothesis reports on the whole test; the line that called it belongs to the checker.
        return f"{type(error).__name__}: {error}"
    mismatches = [leaf.result for leaf in leaves if isinstance(leaf, GradientMismatch)]
    if not mismatches:
        return None
    shown = one_per_fault(mismatches)
    others = [leaf for leaf in leaves if not isinstance(leaf, GradientMismatch)]
    lines = []
    # "2 distinct failures" is wrong if one explains the other.
    if leaves != [error] and (len(leaves) == 1 or len(shown) + len(others) > 1):
        lines.append(str(error.args[0]) if error.args else type(error).__name__)
    # Failures with a culprit come first.
    for result in shown:
        lines += _mismatch(dataclasses.replace(result, name=result.name + case), marked)
    firsts = [(type(leaf).__name__, next(iter(str(leaf).splitlines()), "")) for leaf in others]
    tails = [f"also: {name}: {first} (-vv shows its traceback)" for name, first in firsts]
    return "\n".join(_cut(lines, MAX_LINES - min(len(tails), 3)) + tails[:3])


def _leaves(error: BaseException) -> list[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        return [leaf for part in error.exceptions for leaf in _leaves(part)]
    return [error]


def _mismatch(result: CheckResult, marked: bool) -> list[str]:
    if not (marked and result.inputs):
        return str(result).splitlines()
    from pytest_gradcheck.core.results import pasteable

    example = ", ".join(f"{name}={pasteable(source)}" for name, source in result.inputs.items())
    # The line to paste has the input to the last bit, so the rest of the text need not repeat it.
    text = str(dataclasses.replace(result, inputs={}, reproduce="", imports=""))
    return [*_cut(text.splitlines(), MAX_LINES - 1), f"  try again: @example({example})"]


def _cut(lines: list[str], limit: int = MAX_LINES) -> list[str]:
    if len(lines) <= limit:
        return lines
    # The last line is the one to paste.
    return [*lines[: limit - 2], f"  ... {len(lines) - limit + 1} more lines; -vv shows them", lines[-1]]
