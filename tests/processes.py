"""pytest and other commands as processes of their own, as a user starts them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parents[1]


def run_pytest(*args: str, cwd: Path = ROOT) -> tuple[int, str]:
    """Run pytest on files of this repository; return its exit status and what it printed."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST_")}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *args],
        cwd=cwd,
        env=environment | {"COLUMNS": "100"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    return done.returncode, done.stdout + done.stderr


def run_apart(
    *command: object, cwd: Path, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command in an environment of its own: neither this repository nor this run's settings leak in."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST_", "PYTHON", "COVERAGE_"))}
    return subprocess.run(
        list(map(str, command)),
        cwd=cwd,
        env=inherited | dict(env or {}),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
