"""What the page of the benchmarks answers, and the short tables under each question."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from docs.benchmarks_page.stored import Stored

__all__ = ["QUESTIONS", "Question", "blocks", "replaced"]


class Question(NamedTuple):
    """One section of the page: its name in the marks, the tables it is answered by, and the short table."""

    name: str
    tables: tuple[str, ...]
    answer: Callable[[Sequence[Stored]], list[str]]


def _rows(head: Sequence[str], rows: Iterable[Sequence[str]], numbers: Sequence[str] = ()) -> list[str]:
    rule = ["---:" if part in numbers else "---" for part in head]
    return [f"| {' | '.join(row)} |" for row in (head, rule, *rows)]


def times(tables: Sequence[Stored]) -> list[str]:
    """Return our time over each peer's, the slowest first."""
    found = sorted((each for table in tables for each in table.timed()), key=lambda each: -float(each.median))
    rows = [[each.what, each.median, f"{each.least} to {each.most}", each.slower] for each in found]
    return _rows(["our time", "median", "range", "slower in"], rows, ("median",))


def verdicts(tables: Sequence[Stored]) -> list[str]:
    """Return how many wrong verdicts each checker gave."""
    rows = []
    for table in tables:
        for each in table.judged():
            (_, ours), *others = each.counts
            rows.append([each.what, ours, "; ".join(": ".join(pair) for pair in others)])
    return _rows(["wrong verdicts", "ours", "the others"], rows)


def next_to_peers(tables: Sequence[Stored]) -> list[str]:
    """Return the rows of a table that have a figure of a peer."""
    (table,) = tables
    rows = [row for row in table.rows if any(row[2:])]
    return _rows(table.columns, rows, table.columns[1:])


def missed(tables: Sequence[Stored]) -> list[str]:
    """Return the aims that are not reached."""
    aims = [(table, aim) for table in tables for aim in table.aimed()]
    rows = [[download(table), aim.what, aim.limit, aim.found] for table, aim in aims if not aim.is_reached]
    reached = len(aims) - len(rows)
    return [
        f"{reached} of {len(aims)} are reached. Not reached are:",
        "",
        *_rows(["table", "aim", "at most", "found"], rows, ("at most", "found")),
    ]


QUESTIONS = (
    Question(
        "next_to_gradcheck",
        ("Checks of correct functions", "Large functions", "All of a Jacobian by differences"),
        times,
    ),
    Question(
        "operators_and_models",
        (
            "Torch's operators, unchanged",
            "A check by reference and torch, next to torch's gradcheck",
            "Large models, by reference and torch",
        ),
        times,
    ),
    Question("calls", ("Calls of opaque code",), next_to_peers),
    Question(
        "faults",
        (
            "Wrong backwards",
            "Hard correct functions",
            "Hand-written backwards, next to check_grads",
            "Hand-written backwards with faults",
            "Torch's operators, unchanged",
            "Torch's operators, broken",
        ),
        verdicts,
    ),
    Question(
        "failing_and_marked",
        (
            "Checks that fail",
            "A marked test and a loop of gradcheck",
            "A test that fails and one that passes",
        ),
        times,
    ),
    Question(
        "other_checkers",
        (
            "A check of a NumPy gradient",
            "Gradients of NumPy code",
            "Hand-written backwards, next to check_grads",
        ),
        times,
    ),
    Question("overhead", ("Installed and unused", "Used", "Imports", "Examples per second"), times),
    Question(
        "engine",
        ("Overhead per operation", "A graph of numbers", "Gradient to forward", "Large graphs"),
        times,
    ),
    Question("lowering", ("Lowering small models", "Lowering large models"), times),
)


def download(table: Stored) -> str:
    """Return the role that offers a table as a file."""
    return f"{{download}}`{table.title} <data/{table.file}>`"


def blocks(stored: Sequence[Stored]) -> dict[str, str]:
    """Return the generated text of every question, by its name, and of the aims and the summary."""
    by_title = {table.title: table for table in stored}
    found = {}
    for question in QUESTIONS:
        tables = [by_title[title] for title in question.tables]
        measured = dict.fromkeys(table.measured for table in tables)
        lines = [
            *question.answer(tables),
            "",
            f"Full tables: {', '.join(map(download, tables))}.",
            "",
            *(f"- {each}" for each in measured),
        ]
        found[question.name] = "\n".join(lines)
    found["aims"] = "\n".join(missed(stored))
    medians = [float(each.median) for table in stored for each in table.timed()]
    slower = sum(median > 1 for median in medians)
    found["summary"] = (
        f"In the median, this package is slower in {slower} of {len(medians)} comparisons of time and faster "
        f"in {len(medians) - slower}."
    )
    return found


def replaced(page: str, name: str, section: str) -> str:
    """Return `page` with `section` between the two marks of this name."""
    begin, end = f"<!-- {name}: begin -->\n", f"<!-- {name}: end -->\n"
    head, found, rest = page.partition(begin)
    _, closed, tail = rest.partition(end)
    if not (found and closed):
        raise SystemExit(
            f"benchmarks.md lacks the lines {begin.strip()} and {end.strip()} around the figures"
        )
    return f"{head}{begin}\n{section}\n\n{end}{tail}"
