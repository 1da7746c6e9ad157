"""The steps of CI one by one, for a developer: ``nox -s lint types tests kernels docs``."""

import pathlib

import nox

nox.options.default_venv_backend = "venv"
nox.options.reuse_existing_virtualenvs = True


def install(session: nox.Session, extras: str) -> None:
    """Install this package for development, with the pinned versions."""
    session.install("-c", "constraints.txt", "-e", f".[{extras}]")


@nox.session
def lint(session: nox.Session) -> None:
    """Check style and format."""
    session.install("-c", "constraints.txt", "ruff")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")


@nox.session
def types(session: nox.Session) -> None:
    """Check the types of both packages, strictly."""
    install(session, "test")
    session.run("mypy")


@nox.session
def tests(session: nox.Session) -> None:
    """Run the test suite."""
    install(session, "test")
    session.run("pytest", "-n", "2", *session.posargs, env={"OMP_NUM_THREADS": "1"})


@nox.session
def coverage(session: nox.Session) -> None:
    """Run the test suite and report which lines and branches it reaches: 1.65 times the time of ``tests``."""
    install(session, "test")
    session.run("coverage", "erase")
    # coverage's own start-up hook measures every Python process of the command, from its first import on:
    # pytest loads a plugin long before pytest-cov could start.
    measured = {"COVERAGE_PROCESS_START": "pyproject.toml", "COVERAGE_FILE": ".coverage"}
    measured = {name: str(pathlib.Path(path).resolve()) for name, path in measured.items()}
    session.run("pytest", "-n", "2", *session.posargs, env={"OMP_NUM_THREADS": "1", **measured})
    session.run("coverage", "combine", "--quiet")
    session.run("coverage", "report")


@nox.session
def kernels(session: nox.Session) -> None:
    """Run the numerically sensitive tests under other kernels."""
    install(session, "test")
    session.run("python", "-m", "tests.kernels", "-n", "2", *session.posargs)


@nox.session
def third_party(session: nox.Session) -> None:
    """Check functions of third-party packages."""
    install(session, "third-party")
    command = ["pytest", "tests/third_party", "-m", "third_party", "-n", "2", "--gradcheck-profile=quick"]
    session.run(*command, *session.posargs, env={"OMP_NUM_THREADS": "1"})


@nox.session
def docs(session: nox.Session) -> None:
    """Build the documentation; a warning is an error."""
    install(session, "docs")
    session.run("sphinx-build", "-W", "--keep-going", "-b", "html", "docs", "docs/_build/html")
