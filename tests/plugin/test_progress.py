"""How far a search is, in a terminal and nowhere else."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_gradcheck.plugin.progress import fitted, time_left

pty = pytest.importorskip("pty", reason="pseudo-terminals are Unix's")

TESTS = """
@pytest.mark.gradcheck(x=vectors)
@settings(max_examples=4)
def test_right(x):
    return np.sum(x**3)

@pytest.mark.gradcheck(x=vectors, gradient=wrong)
def test_wrong(x):
    return np.sum(x**2)

def test_by_hand(gradcheck, capsys):
    for _ in range(3):
        gradcheck(lambda x: x * x, 1.0)
    print("captured")
    assert capsys.readouterr().out == "captured\\n"
"""

# Searches of a test suite end before their progress would be shown.
AT_ONCE = """
import pytest_gradcheck.plugin.progress as progress
progress.DELAY = progress.INTERVAL = {seconds}
"""


class Screen:
    """What a person sees of the output of a process: a terminal of 80 columns, without an end."""

    SEQUENCE = re.compile(r"\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b\[([\d;?]*)([A-Za-z])|\x1b([78])")

    def __init__(self) -> None:
        self.lines: list[list[str]] = [[]]
        self.saved = self.at = (0, 0)
        #: Every text that was there at some time behind the cursor.
        self.shown: list[str] = []

    def feed(self, text: str) -> None:
        while text:
            sequence = self.SEQUENCE.match(text)
            if sequence is None:
                self.put(text[0])
                text = text[1:]
                continue
            text = text[sequence.end() :]
            row, column = self.at
            if sequence[3] == "7":
                self.saved = self.at
            elif sequence[3] == "8":
                self.shown.append("".join(self.lines[self.saved[0]][self.saved[1] :]))
                self.at = self.saved
            elif sequence[2] == "K":
                assert sequence[1] == ""
                del self.lines[row][column:]
            else:
                assert sequence[2] in (None, "m"), f"nobody writes {sequence[0]!r}"

    def put(self, sign: str) -> None:
        row, column = self.at
        if sign == "\r":
            self.at = row, 0
        elif sign == "\n" or column == 80:
            self.at = row + 1, 0 if column == 80 else column
            if len(self.lines) == row + 1:
                self.lines.append([])
            if sign != "\n":
                self.put(sign)
        else:
            line = self.lines[row]
            line += " " * (column + 1 - len(line))
            line[column] = sign
            self.at = row, column + 1

    def text(self) -> str:
        lines = ["".join(line).rstrip() for line in self.lines]
        # What differs between any two runs.
        return re.sub(r"\d+\.\d+ ?s|^slowest: .*|=+$", "", "\n".join(lines), flags=re.MULTILINE)


def run(project: Any, *flags: str, seconds: str = "0") -> Screen:
    """Run the project in a terminal."""
    project.conftest(AT_ONCE.format(seconds=seconds))
    master, slave = pty.openpty()
    environment = {k: v for k, v in os.environ.items() if k != "COLUMNS"}
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:jaxtyping"]
    command += ["-o", "gradcheck_methods=central,reference,user", "--hypothesis-seed=1", *flags]
    with subprocess.Popen(
        command,
        cwd=project.path,
        env=environment | {"TERM": "xterm", "COLUMNS": "80"},
        stdin=slave,
        stdout=slave,
        stderr=slave,
    ) as process:
        os.close(slave)
        output = b""
        while True:
            try:
                more = os.read(master, 65536)
            except OSError:
                # Linux raises this when the other end is closed.
                break
            if not more:
                break
            output += more
    os.close(master)
    assert process.returncode in (0, 1), output.decode()
    screen = Screen()
    screen.feed(output.decode())
    return screen


@pytest.mark.parametrize("verbose", [[], pytest.param(["-v"], marks=pytest.mark.sweep)])
def test_it_comes_and_goes_in_a_terminal(project: Any, verbose: list[str]) -> None:
    project.write(test_it=TESTS)
    screen = run(project, *verbose)
    assert re.fullmatch(r"test_right: example 1 of 4, \d+ s left", screen.shown[0])
    assert re.fullmatch(r"test_right: example 4 of 4, 0 s left", screen.shown[3])
    wrong = [text for text in screen.shown if "test_wrong" in text]
    assert re.fullmatch(r"test_wrong: wrong gradient, \d+ variants tried", wrong[-1])
    assert screen.shown[-1] == "test_by_hand: 3 checks run"
    # In the end there is on the screen what there is without.
    quiet = run(project, *verbose, seconds="1e9")
    assert not quiet.shown
    assert screen.text() == quiet.text()
    assert "1 failed, 2 passed" in screen.text()


@pytest.mark.parametrize(
    "flags",
    [
        pytest.param(["-q"], marks=pytest.mark.sweep),
        pytest.param(["-n2"], marks=pytest.mark.sweep),
        pytest.param(["-s"], marks=pytest.mark.sweep),
        pytest.param(["--log-cli-level=info"], marks=pytest.mark.sweep),
        pytest.param(["-p", "no:terminal"], marks=pytest.mark.sweep),
    ],
)
def test_where_it_is_not_shown(project: Any, flags: list[str]) -> None:
    project.write(test_it=TESTS)
    screen = run(project, *flags)
    assert not screen.shown
    assert "left" not in screen.text()


def test_it_is_not_shown_outside_of_a_terminal(project: Any) -> None:
    project.write(test_it=TESTS)
    project.conftest(AT_ONCE.format(seconds=0))
    result = project.run("-o", "gradcheck_methods=central,reference,user")
    result.assert_outcomes(passed=2, failed=1)
    assert "\x1b" not in result.stdout.str()
    assert "left" not in result.stdout.str()


def test_a_text_that_fits() -> None:
    assert fitted("test_a", "example 1 of 2", 80) == "test_a: example 1 of 2"
    assert fitted("test_a_long_name", "example 1 of 2", 24) == "test_...: example 1 of 2"
    assert fitted("test_a_long_name", "example 1 of 2", 14) == "example 1 of 2"
    assert fitted("test_a_long_name", "example 1 of 2", 13) == ""
    assert fitted("test_π\x9b", "x", 80) == "test_??: x"


@given(st.text("aé漢\x1b"), st.text("ab "), st.integers(-5, 60))
def test_no_text_is_longer_than_its_room(name: str, rest: str, room: int) -> None:
    assert len(fitted(name, rest, room)) <= max(room, 0)


def test_time_left() -> None:
    assert time_left(10.0, 25, 100, None) == "30 s left"
    assert time_left(10.0, 25, 100, 12.0) == "2 s left"
    assert time_left(100.0, 25, 100, None) == "5 min left"
    assert time_left(10.0, 101, 100, None) == "0 s left"
