"""Every page with commands can be followed word by word, in an empty directory."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
import tomllib

import following
import pytest
from pages import PAGES, ROOT
from processes import run_pytest

FOLLOWED = [page for page in PAGES if following.is_followed(page)]


def named(page):
    return str(page.relative_to(ROOT))


def test_the_how_to_guides_are_followed():
    assert set(AS_A_READER) <= set(FOLLOWED)


QUICK = ("scipy", "numdifftools")


def installed(packages):
    return [package for package in packages if importlib.util.find_spec(package)]


# Those that take two seconds of a core or more, and most of whose blocks the suite runs by themselves.
LONG_GUIDES = (
    "adjoint_solver",
    "custom_op",
    "gate_ci",
    "hessian",
    "iterative",
    "module",
    "numpy_gradient",
    "second_order",
)
# The examples are run in tests/examples too.
LONG = [ROOT / f"docs/howto/{name}.md" for name in LONG_GUIDES]
LONG.append(ROOT / "docs/tutorial/examples.md")


@pytest.mark.parametrize(
    "page",
    [pytest.param(page, marks=[pytest.mark.sweep] if page in LONG else []) for page in FOLLOWED],
    ids=named,
)
def test_the_page_can_be_followed(page, reader):
    following.follow(page, reader.path, reader.run, having=installed(QUICK))


@pytest.mark.parametrize(
    ("package", "proved"),
    [
        ("pytest-gradcheck", False),
        ("pytest-gradcheck[torch]", False),
        ("pytest-gradcheck[exact]", True),
        ("pytest-gradcheck[torch,exact]", True),
    ],
)
@pytest.mark.parametrize("command", ["pytest", pytest.param("A=1 pytest", marks=pytest.mark.sweep)])
def test_a_reader_sees_proofs_where_the_page_installs_them(command, package, proved, reader):
    pytest.importorskip("flint")
    (reader.path / "test_it.py").write_text(WRONG, encoding="utf-8")
    reader.run(["pip", "install", package])
    status, output = reader.run(command.split())
    assert status == 1
    assert ("proved:" in output) == proved


WRONG = """
from pytest_gradcheck import assert_gradients


def test_square():
    assert_gradients(lambda x: x * x, 3.0, gradient=lambda x: x)
"""


NEEDING = [page for page in FOLLOWED if following.packages(page)]


@pytest.mark.sweep
@pytest.mark.parametrize("page", NEEDING, ids=named)
def test_the_page_can_be_followed_with_all_packages(page, reader):
    having = installed(following.PACKAGES)
    following.follow(page, reader.path, reader.run, having=having)
    if missing := following.packages(page) - set(having):
        pytest.skip(f"followed but for what needs {', '.join(missing)}")


def test_the_packages_that_pages_need_are_known():
    assert set().union(*map(following.packages, NEEDING)) == set(following.PACKAGES)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extra = {re.split(r"\W", wanted)[0] for wanted in project["optional-dependencies"]["test"]}
    assert set(following.PACKAGES) - extra == {"jax"}


# A process per command takes six seconds of a core, most of them for imports: some guides stand for all.
AS_A_READER = [ROOT / f"docs/howto/{name}.md" for name in ("custom_function", "gate_ci", "read_a_failure")]


@pytest.mark.sweep
@pytest.mark.parametrize("page", AS_A_READER, ids=named)
def test_the_page_can_be_followed_as_a_reader_does(page, tmp_path):
    """As processes of their own, with the settings that a reader has, and so with other inputs every time."""

    def run(words):
        if words[:1] == ["pip"]:
            return 0, ""
        if words[:1] == ["pytest"]:
            # Warnings of what a page has written into a conftest come with the start of a process alone.
            return run_pytest("-W", "error", *words[1:], cwd=tmp_path)
        done = subprocess.run([sys.executable, *words[1:]], cwd=tmp_path, capture_output=True, text=True)
        return done.returncode, done.stdout + done.stderr

    following.follow(page, tmp_path, run, compare=False)


@pytest.mark.parametrize("page", FOLLOWED, ids=named)
def test_the_reader_is_told_the_names_of_files(page):
    """The comments above blocks are not shown: a name stands in the words before the block too."""
    before = page.read_text(encoding="utf-8").splitlines()
    for block in following.steps(page):
        found = following.FILE.fullmatch(block.note) or following.EDIT.fullmatch(block.note)
        if found:
            words = "\n".join(before[max(block.line - 8, 0) : block.line - 1])
            words = re.sub(r"<!--.*?-->", "", words)
            assert f"`{found['name']}`" in words, f"{named(page)}:{block.line}"


def follow(text, tmp_path, run):
    page = tmp_path / "page.md"
    page.write_text(text, encoding="utf-8")
    (tmp_path / "reader").mkdir()
    following.follow(page, tmp_path / "reader", run)
    return tmp_path / "reader"


PAGE = """
<!-- file: a/b.py -->
```python
one = 1
two = 2
```
<!-- edit: a/b.py -->
```diff
 one = 1
-two = 2
+two = 22
```
<!-- run, exit 1 -->
```sh
pytest -k 'one or two'
```
<!-- prints -->
```text
first
...
2.0 seconds
```
"""


def test_a_page_is_followed_to_the_letter(tmp_path):
    ran = []

    def run(words):
        ran.append(words)
        return 1, "nought\nfirst\nsecond\n2.0000001 seconds\nlast"

    folder = follow(PAGE, tmp_path, run)
    assert ran == [["pytest", "-k", "one or two"]]
    assert (folder / "a/b.py").read_text(encoding="utf-8") == "one = 1\ntwo = 22\n"


@pytest.mark.parametrize(
    ("status", "output", "trouble"),
    [
        (0, "first\n2.0 seconds", "ended with 0"),
        (1, "first\n3.0 seconds", "what is printed is"),
        (1, "2.0 seconds\nfirst", "what is printed is"),
        (1, "first", "what is printed is"),
    ],
)
def test_what_is_not_so_is_noticed(status, output, trouble, tmp_path):
    with pytest.raises(AssertionError, match=trouble):
        follow(PAGE, tmp_path, lambda words: (status, output))


def test_an_edit_that_does_not_fit_is_noticed(tmp_path):
    with pytest.raises(AssertionError, match=r"b\.py has 0 times"):
        follow(PAGE.replace(" one = 1\n-two", " one = 2\n-two"), tmp_path, lambda words: (1, ""))


NEEDS = """
<!-- file: c.py -->
```{literalinclude} c.txt
:language: python
```
<!-- run -->
```sh
python c.py
```
<!-- prints -->
```text
three
```
<!-- run, exit 1, needs jax -->
```sh
python d.py
```
<!-- prints -->
```text
four
```
"""


@pytest.mark.parametrize(
    ("having", "expected"),
    [((), [["python", "c.py"]]), (("jax",), [["python", "c.py"], ["python", "d.py"]])],
)
def test_a_reader_copies_what_is_included_and_leaves_out_what_needs_more(having, expected, tmp_path):
    (tmp_path / "c.txt").write_text("three = 3\n", encoding="utf-8")
    (tmp_path / "page.md").write_text(NEEDS, encoding="utf-8")
    ran = []

    def run(words):
        ran.append(words)
        return (0, "three") if words[1] == "c.py" else (1, "four")

    (tmp_path / "reader").mkdir()
    following.follow(tmp_path / "page.md", tmp_path / "reader", run, having=having)
    assert ran == expected
    assert (tmp_path / "reader/c.py").read_text(encoding="utf-8") == "three = 3\n"
    assert following.packages(tmp_path / "page.md") == {"jax"}
