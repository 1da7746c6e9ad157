"""Photograph the HTML report of the example that is wrong on purpose, for the README.

    python docs/screenshot.py            writes docs/images/report.png
    python docs/screenshot.py PATH.png   writes another file

It needs torch and a Chromium, and runs the examples that the picture shows.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]
PICTURE = ROOT / "docs/images/report.png"

FILES = ("test_wrong_backward.py", "test_tutorial.py")
OPENED = "test_wrong_backward.py::test_gelu::test_gelu"
# As high as the message, the input and the first figure.
WIDTH, HEIGHT = 800, 1185

BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def browser() -> str | None:
    """The path of a Chromium, if there is one."""
    return next(filter(None, map(shutil.which, BROWSERS)), None)


def report(folder: Path) -> Path:
    """Run the examples as a project of their own; the HTML report of that."""
    for name in ("conftest.py", *FILES):
        shutil.copy(ROOT / "docs/examples" / name, folder)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist"]
    done = subprocess.run(
        [*command, f"--rootdir={folder}", "--gradcheck-report=report.html", *FILES],
        cwd=folder,
        capture_output=True,
        text=True,
    )
    if done.returncode != 1:
        raise RuntimeError(f"expected one failed test, got exit status {done.returncode}:\n{done.stdout}")
    return folder / "report.html"


def photograph(page: Path, anchor: str, to: Path, chromium: str) -> None:
    """Write what a browser shows of `page`, in light colours."""
    # Subpixel colours at the edges of letters would double the size of the file.
    options = ["--headless", "--no-sandbox", "--hide-scrollbars", "--disable-lcd-text"]
    size = f"--window-size={WIDTH},{HEIGHT}"
    subprocess.run(
        [chromium, *options, size, f"--screenshot={to.absolute()}", f"{page.as_uri()}#{anchor}"],
        check=True,
        capture_output=True,
    )


def main(arguments: Sequence[str]) -> int:
    """Write the picture; the exit status."""
    if len(arguments) > 1 or any(not path.endswith(".png") for path in arguments):
        print(f"usage: python docs/screenshot.py [PATH.png], got {' '.join(arguments)}", file=sys.stderr)
        return 2
    chromium = browser()
    if chromium is None:
        print(f"no browser: one of {', '.join(BROWSERS)} has to be installed", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory() as folder:
        photograph(report(Path(folder)), OPENED, Path(*arguments) if arguments else PICTURE, chromium)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
