"""Which part may import which, and what loading the plugin costs."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

#: For every part, the parts of the project that it may import; the standard library and the named
#: third-party packages aside.
ALLOWED = {
    "reference_engine": {"reference_engine"},
    "pytest_gradcheck/lowering": {"pytest_gradcheck.lowering", "reference_engine"},
    "pytest_gradcheck/methods": {
        "pytest_gradcheck.methods",
        "pytest_gradcheck.lowering",
        "pytest_gradcheck.core.call",
        "pytest_gradcheck.core.errors",
        "pytest_gradcheck.core.layout",
        "pytest_gradcheck.core.problem",
        "pytest_gradcheck.core.values",
        "reference_engine",
    },
    "pytest_gradcheck/core": {"pytest_gradcheck.core", "pytest_gradcheck.methods"},
    "pytest_gradcheck/strategies": {"pytest_gradcheck.strategies", "pytest_gradcheck.core.errors"},
    "pytest_gradcheck/reports": {
        "pytest_gradcheck.reports",
        "pytest_gradcheck.aggregate",
        "pytest_gradcheck.core.errors",
        "pytest_gradcheck.core.message",
        "pytest_gradcheck.core.results",
        "pytest_gradcheck.search",
    },
}

FOREIGN = {
    "reference_engine": {"numpy", "scipy"},
    "pytest_gradcheck/lowering": {"numpy", "scipy", "torch"},
    "pytest_gradcheck/methods": {"numpy", "torch"},
    "pytest_gradcheck/core": {"numpy", "torch"},
    "pytest_gradcheck/strategies": {"numpy", "torch", "hypothesis", "jaxtyping"},
}


def imports(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield node.module
            yield from (
                f"{node.module}.{alias.name}" for alias in node.names if node.module == "pytest_gradcheck"
            )


@pytest.mark.parametrize("part", ALLOWED)
def test_arrows_point_down(part):
    files = sorted((ROOT / part).rglob("*.py"))
    assert files
    for path in files:
        for module in imports(path):
            top = module.split(".")[0]
            if top in ("pytest_gradcheck", "reference_engine"):
                allowed = (
                    ALLOWED[part] | {"pytest_gradcheck"} if module == "pytest_gradcheck" else ALLOWED[part]
                )
                assert any(module == a or module.startswith(f"{a}.") for a in allowed), f"{path}: {module}"
            elif part in FOREIGN:
                assert top in sys.stdlib_module_names | FOREIGN[part] | {"__future__"}, f"{path}: {module}"


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
