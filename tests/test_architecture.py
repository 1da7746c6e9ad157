"""Which room may import which, who names a framework, and what loading the plugin costs."""

import ast
import re
import subprocess
import sys
import tokenize
from pathlib import Path

import pytest

from docs import house

ROOT = Path(__file__).parents[1]

#: The rooms of `pytest_gradcheck` from top to bottom: a room imports rooms further down, and no other.
ORDER = (
    "__main__",
    "plugin",
    "reports",
    "records",
    "testing",
    "lowering",
    "__init__",
    "strategies",
    "core",
    "methods",
    "function",
    "frameworks",
    "usage",
    "errors",
)

NEVER = (
    ("function", "methods"),
    ("function", "core"),
    ("methods", "core"),
    ("records", "reports"),
    ("records", "plugin"),
)

#: What each room may import besides the two packages and the standard library.
FOREIGN = {
    "reference_engine": {"flint", "numpy", "scipy"},
    "reference_engine.balls": {"flint", "numpy"},
    "pytest_gradcheck.core": {"numpy"},
    "pytest_gradcheck.methods": {"numpy"},
    "pytest_gradcheck.function": {"numpy"},
    "pytest_gradcheck.strategies": {"numpy", "hypothesis", "jaxtyping"},
    "pytest_gradcheck.records": set(),
    "pytest_gradcheck.reports": set(),
    "pytest_gradcheck.frameworks.numpy": {"numpy"},
    "pytest_gradcheck.frameworks.jax": {"jax", "numpy", "scipy"},
    "pytest_gradcheck.frameworks.torch": {"numpy", "scipy", "torch"},
}

#: The libraries that are named in the folder of their framework alone.
LIBRARIES = ("torch", "jax")


def room(name):
    return name.split(".")[1]


def test_no_circle_of_files():
    assert house.circles(house.arrows()) == []


@pytest.mark.parametrize("folder", house.folders())
def test_no_circle_of_rooms(folder):
    assert house.circles(house.rooms(folder)) == []


def test_the_arrows_point_down():
    for name, targets in house.rooms("pytest_gradcheck").items():
        for target in targets:
            assert ORDER.index(room(name)) < ORDER.index(room(target)), f"{name} imports {target}"


@pytest.mark.parametrize(("upper", "lower"), NEVER)
def test_arrows_that_must_never_be(upper, lower):
    graph = house.rooms("pytest_gradcheck")
    assert f"pytest_gradcheck.{lower}" not in graph[f"pytest_gradcheck.{upper}"]


def test_the_engine_imports_nothing_of_the_plugin():
    for name, targets in house.arrows().items():
        if name.startswith("reference_engine."):
            assert not [target for target in targets if target.startswith("pytest_gradcheck.")], name


def test_the_top_level_is_small():
    graph = house.rooms("pytest_gradcheck")
    assert len(graph) <= 15
    assert max(house.floors(graph).values()) <= 8


@pytest.mark.parametrize("part", FOREIGN)
def test_foreign_packages(part):
    allowed = sys.stdlib_module_names | FOREIGN[part] | {"__future__", *house.PACKAGES}
    for name, path in house.modules().items():
        if name.startswith(f"{part}."):
            tops = {
                each.split(".")[0] for each in house.imported(ast.parse(path.read_text(encoding="utf-8")))
            }
            assert tops <= allowed, f"{path}: {tops - allowed}"


def test_flint_is_for_balls_alone():
    for name, path in house.modules().items():
        if not name.startswith("reference_engine.balls"):
            assert "flint" not in house.imported(ast.parse(path.read_text(encoding="utf-8"))), name


# -- who names a framework ---------------------------------------------------------------------------


def public_functions():
    """The functions and classes that the documentation of the Python interface lists."""
    text = (ROOT / "docs/reference/api.md").read_text(encoding="utf-8")
    return set(re.findall(r"\.\. auto\w+:: (?:\w+\.)*(\w+)", text))


def docstrings(tree):
    """Every docstring of a module with the name of what it describes, None for the module's own."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            body = node.body
            if body and isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant):
                yield getattr(node, "name", None), body[0].value


def without_public_signatures(tree, public, word):
    """The nodes of a module, but for public functions whose annotations name the library, and type checking.

    Such a function is the library's own way in, such as `tensors`: its signature, and so its body, names it.
    """
    pending = [tree]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.FunctionDef) and node.name in public:
            annotations = [
                node.returns,
                *(each.annotation for each in node.args.args + node.args.posonlyargs),
            ]
            if any(each is not None and word.search(ast.unparse(each)) for each in annotations):
                continue
        if isinstance(node, ast.If) and house.is_type_checking(node.test):
            pending += node.orelse
            continue
        yield node
        pending += ast.iter_child_nodes(node)


def places_that_name(library, path):
    """Where a file names a library, but for docstrings of public functions, and messages: whole sentences."""
    word = re.compile(rf"\b{library}\b")
    tree = ast.parse(path.read_text(encoding="utf-8"))
    public = public_functions()
    described = {id(text): name for name, text in docstrings(tree)}
    for node in without_public_signatures(tree, public, word):
        names = [getattr(node, key, None) for key in ("id", "attr", "arg", "name", "module")]
        if any(isinstance(name, str) and word.search(name) for name in names):
            yield node.lineno
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and word.search(node.value):
            if id(node) in described:
                if described[id(node)] not in public:
                    yield node.lineno
            elif not re.search(r"\w \w", node.value):
                yield node.lineno
    with path.open("rb") as file:
        for token in tokenize.tokenize(file.readline):
            if token.type == tokenize.COMMENT and word.search(token.string):
                yield token.start[0]


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_library_is_named_in_its_own_folder_alone(library):
    found = [
        f"{path.relative_to(ROOT)}:{line}"
        for name, path in house.modules().items()
        if name.startswith("pytest_gradcheck.") and f".frameworks.{library}." not in name
        for line in sorted(set(places_that_name(library, path)))
    ]
    assert found == []


# -- what is loaded ----------------------------------------------------------------------------------


def loaded_after(code):
    script = f"import sys\n{code}\nprint(*sorted({{m.split('.')[0] for m in sys.modules}}))"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT
    )
    return set(done.stdout.split())


def test_the_plugin_loads_nothing_heavy():
    assert not loaded_after("import pytest_gradcheck.plugin") & {"numpy", "hypothesis", "torch", "scipy"}


def test_the_engine_loads_numpy_alone():
    before = loaded_after("import numpy")
    extra = loaded_after("import reference_engine") - before - set(sys.stdlib_module_names)
    assert extra <= {"reference_engine"}


def test_checking_numpy_code_without_torch_among_the_methods_loads_no_torch():
    code = (
        "import numpy as np\nfrom pytest_gradcheck import check_gradients\n"
        "assert check_gradients(np.sin, 1.0, methods=('central', 'reference')).verdict == 'pass'"
    )
    assert "torch" not in loaded_after(code)
