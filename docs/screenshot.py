"""Photograph the HTML report of the example that is wrong on purpose, and the terminal that it fails in.

    python docs/screenshot.py            writes them to docs/images, each for light and for dark pages
    python docs/screenshot.py FOLDER     writes them there

It needs torch and a Chromium, and runs the examples that the picture shows.
"""

from __future__ import annotations

import html
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]
PICTURE = ROOT / "docs/images/report.png"
TERMINAL = ROOT / "docs/images/terminal.png"
#: The report on a dark page, and the terminal on a light one.
PICTURE_DARK = PICTURE.with_name("report.dark.png")
TERMINAL_LIGHT = TERMINAL.with_name("terminal.light.png")

FILES = ("test_wrong_backward.py", "test_tutorial.py")
OPENED = "test_wrong_backward.py::test_gelu::test_gelu"
# As high as the message, the input and the first figure.
WIDTH, HEIGHT = 800, 1185
TERMINAL_WIDTH, TERMINAL_HEIGHT = 1000, 470

#: What pytest's colours are on a dark and on a light terminal, by their codes.
DARK = {"31": "#ff8a80", "32": "#7fd49b", "33": "#f0c060", "36": "#7fd4e0", "1": "bold"}
LIGHT = {"31": "#b3261e", "32": "#18703a", "33": "#805500", "36": "#00677d", "1": "bold"}

BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def browser() -> str | None:
    """The path of a Chromium, if there is one."""
    return next(filter(None, map(shutil.which, BROWSERS)), None)


def report(folder: Path) -> tuple[Path, str]:
    """Run the examples as a project of their own; the HTML report of that, and what the terminal shows."""
    for name in ("conftest.py", *FILES):
        shutil.copy(ROOT / "docs/examples" / name, folder)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist"]
    done = subprocess.run(
        [*command, "--color=yes", f"--rootdir={folder}", "--gradcheck-report=report.html", *FILES],
        cwd=folder,
        capture_output=True,
        text=True,
    )
    if done.returncode != 1:
        raise RuntimeError(f"expected one failed test, got exit status {done.returncode}:\n{done.stdout}")
    return folder / "report.html", done.stdout


def as_page(output: str, *, dark: bool = True) -> str:
    """Return the coloured output of pytest as an HTML page."""
    colours, (ground, ink) = (DARK, ("#14171c", "#e8eaee")) if dark else (LIGHT, ("#ffffff", "#1a1a1a"))
    text = html.escape(output.partition("FAILURES")[2].partition("\n")[2])
    parts, opened = [], 0
    for part in re.split(r"(\x1b\[[\d;]*m)", text):
        code = re.fullmatch(r"\x1b\[([\d;]*)m", part)
        if code is None:
            parts.append(part)
        elif (colour := colours.get(code[1])) is not None:
            opened += 1
            parts.append(f"<span style='{'font-weight' if colour == 'bold' else 'color'}:{colour}'>")
        else:
            parts.append("</span>" * opened)
            opened = 0
    style = (
        f"margin:0;padding:16px;background:{ground};color:{ink};font:14px/1.35 monospace;white-space:pre-wrap"
    )
    body = f"<body style='margin:0;background:{ground}'><pre style='{style}'>{''.join(parts)}</pre>"
    return f"<meta charset=utf-8>{body}"


def photograph(
    address: str, to: Path, chromium: str, width: int = WIDTH, height: int = HEIGHT, *, dark: bool = False
) -> None:
    """Write what a browser shows of a page."""
    # Subpixel colours at the edges of letters would double the size of the file.
    options = ["--headless", "--no-sandbox", "--hide-scrollbars", "--disable-lcd-text"]
    # What the browser says that the reader prefers: 0 is dark, 1 is light.
    options.append(f"--blink-settings=preferredColorScheme={0 if dark else 1}")
    size = f"--window-size={width},{height}"
    subprocess.run(
        [chromium, *options, size, f"--screenshot={to.absolute()}", address],
        check=True,
        capture_output=True,
    )


def main(arguments: Sequence[str]) -> int:
    """Write the pictures; the exit status."""
    if len(arguments) > 1 or not all(Path(path).is_dir() for path in arguments):
        print(f"usage: python docs/screenshot.py [FOLDER], got {' '.join(arguments)}", file=sys.stderr)
        return 2
    chromium = browser()
    if chromium is None:
        print(f"no browser: one of {', '.join(BROWSERS)} has to be installed", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory() as folder:
        page, output = report(Path(folder))
        to = Path(*arguments) if arguments else PICTURE.parent
        for dark, of_report, of_terminal in (
            (False, PICTURE, TERMINAL_LIGHT),
            (True, PICTURE_DARK, TERMINAL),
        ):
            photograph(f"{page.as_uri()}#{OPENED}", to / of_report.name, chromium, dark=dark)
            shown = Path(folder) / "terminal.html"
            shown.write_text(as_page(output, dark=dark), encoding="utf-8")
            photograph(shown.as_uri(), to / of_terminal.name, chromium, TERMINAL_WIDTH, TERMINAL_HEIGHT)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
