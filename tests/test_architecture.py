"""What loading the plugin costs."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


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
