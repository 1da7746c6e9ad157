"""Reports of sessions that end early: in every format, whole, with all that a worker had delivered."""

from __future__ import annotations

import signal
import subprocess
import sys
from typing import Any
from xml.etree import ElementTree

import pytest
from inner import FAST
from report_readers import standings

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="made by signals that Windows lacks")

PATHS = {
    "json": "r.json",
    "html": "r.html",
    "markdown": "r.md",
    "markdown-append": "summary",
    "sarif": "r.sarif",
}

# What has arrived at the process that reports is written down after the plugin has taken it.
DELIVERED = """
import pytest

@pytest.hookimpl(trylast=True)
def pytest_runtest_logreport(report):
    if report.when == "call" and report.passed and reports:
        with open("delivered", "a") as file:
            file.write(report.nodeid + "\\n")

def pytest_configure(config):
    global reports
    reports = not hasattr(config, "workerinput")
"""

SOURCE = """
import os, signal, sys, time

def wait_for_three():
    while not os.path.exists("delivered") or len(open("delivered").readlines()) < 3:
        time.sleep(0.05)

@pytest.mark.parametrize("n", range(4))
def test_before(gradcheck, n):
    gradcheck(lambda x: x * x, 1.0, name="before")

def test_during(gradcheck):
    gradcheck(lambda x: x * x, 1.0, name="during")
    wait_for_three()
    {disaster}
    time.sleep(60)

@pytest.mark.parametrize("n", range(10))
def test_after(gradcheck, n):
    time.sleep(0.1)
    gradcheck(lambda x: x * x, 1.0, name="after")
"""

# What happens, and the status that pytest itself gives such a session: alone, and with workers. pytest-xdist
# takes pytest.exit() in a worker for an error of its own.
DISASTERS = {
    "Ctrl-C": ("os.killpg(0, signal.SIGINT)", (), 2, 2),
    "a worker is killed": ("os.kill(os.getpid(), signal.SIGKILL)", (), -signal.SIGKILL, 1),
    "a worker exits": ("os._exit(3)", (), 3, 1),
    "-x": ("assert False", ("-x",), 1, 2),
    "pytest.exit": ("pytest.exit('enough', returncode=7)", (), 7, 3),
}

# A shell that starts this run in the background makes it ignore Ctrl-C, and so its children. The child takes
# that back itself: `preexec_fn` would fork this process, and JAX warns of that once a test has imported it.
HEEDS_CTRL_C = """
import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
"""


def run(project: Any, *flags: str, workers: int) -> tuple[int, str]:
    """Run it as a group of processes of its own, as a terminal starts them, all of which Ctrl-C reaches."""
    spread = ("-n", str(workers)) if workers else ("-p", "no:xdist")
    command = [sys.executable, "-c", HEEDS_CTRL_C, "-m", "pytest", *FAST, *spread, *flags]
    done = subprocess.run(
        command,
        cwd=project.path,
        start_new_session=True,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("what", "workers"),
    [
        ("Ctrl-C", 0),
        *(
            pytest.param(what, workers, marks=pytest.mark.sweep)
            for what in DISASTERS
            for workers in (0, 2)
            if (what, workers) not in (("Ctrl-C", 0), ("a worker is killed", 2), ("a worker exits", 0))
        ),
        ("a worker is killed", 2),
    ],
)
def test_every_report_is_whole_and_has_what_was_delivered(project: Any, what: str, workers: int) -> None:
    disaster, flags, alone, spread = DISASTERS[what]
    project.conftest(DELIVERED)
    project.write(test_it=SOURCE.replace("{disaster}", disaster))
    for path in PATHS.values():
        (project.path / path).write_text("old\n")
    reports = [f"--gradcheck-report={name}:{path}" for name, path in PATHS.items()]
    junit = ("--junitxml=j.xml", "--gradcheck-junit-properties")
    status, said = run(project, *reports, *junit, *flags, workers=workers)
    assert status == (spread if workers else alone), said
    texts = {name: (project.path / path).read_text(encoding="utf-8") for name, path in PATHS.items()}
    if not workers and "worker" in what:
        # No process was left to write, so nothing has changed.
        assert set(texts.values()) == {"old\n"}
        assert list(project.path.glob(".*.tmp")) == []
        return
    assert texts["markdown-append"].startswith("old\n## ")
    found = {name: standings(name, text) for name, text in texts.items()}
    assert all(one == found["json"] for one in found.values())
    delivered = set((project.path / "delivered").read_text().split())
    assert len(delivered) >= 3
    assert delivered <= {nodeid for nodeid, _, _ in found["json"]}
    # An interrupted test has no report to bring its checks; in this process they are there all the same.
    assert ("test_it.py::test_during", "during", "pass") in found["json"] or workers
    # After any other status pytest prints no summary.
    for name, path in PATHS.items() if status in (0, 1, 2, 5) else ():
        assert f"{name} report written to {project.path / path}" in said
    assert "Traceback" not in said.partition("= gradcheck =")[2]
    ElementTree.parse(project.path / "j.xml")
    assert list(project.path.glob(".*.tmp")) == []
