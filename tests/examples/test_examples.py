"""The examples, run as a user runs them: as processes, with worker processes, with a report."""

from __future__ import annotations

import json
import re

import jsonschema
import pytest
from pages import noted
from processes import ROOT, run_pytest

from pytest_gradcheck.records.load import schema

WRONG = "docs/examples/test_wrong_backward.py::test_gelu"


def read(path):
    report = json.loads(path.read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator(schema()).validate(report)
    return report


def by_name(report):
    return {check["nodeid"].rpartition("/")[2]: check for check in report["checks"]}


def ok(check):
    return {name for name, method in check["methods"].items() if method["status"] == "ok"}


@pytest.mark.sweep
def test_all_but_the_wrong_one_pass(tmp_path):
    path = tmp_path / "report.json"
    status, output = run_pytest("docs/examples", "-n", "2", f"--gradcheck-report={path}")
    assert status == 1, output
    assert re.findall(r"^(?:FAILED|ERROR) (\S+)", output, re.MULTILINE) == [WRONG]
    # The README's last line of the main job, without the time that it took.
    assert noted(ROOT / "README.md", "main-job ends with").strip() in output.splitlines()[-1]

    report = read(path)
    checks = by_name(report)
    (failed,) = [check for check in report["checks"] if check["verdict"] != "pass"]
    assert failed["nodeid"] == WRONG
    assert failed["verdict"] == "fail"
    assert failed["culprit"] == "torch"
    # The README's message comes from one process alone: with workers the shrunk input is the same.
    assert f"@example(x={failed['inputs']['x']})" in noted(ROOT / "README.md", "message")
    assert report["summary"]["pass"] == report["summary"]["checks"] - 1
    assert report["summary"]["inconclusive"] == report["summary"]["not_checked"] == 0
    # No method is missing that should have run.
    witnesses = {"central", "forward", "reference", "torch"}
    for name, also in (
        ("test_tutorial.py::test_loss", set()),
        ("test_logistic_regression.py::test_loss", {"user"}),
        ("test_small_engine.py::test_rational", {"user"}),
        ("test_heat_equation.py::test_misfit", {"user"}),
        ("test_lasso.py::test_loss", {"user"}),
        ("test_layer_norm.py::test_layer_norm", set()),
        ("test_array_api.py::test_log_sum_exp[0]", set()),
        ("test_torch_module.py::test_training_loss", set()),
        ("test_custom_function.py::test_swish", set()),
        ("test_custom_function.py::test_swish_in_float32", set()),
        ("test_opaque_operation.py::test_softabs", set()),
    ):
        assert ok(checks[name]) == witnesses | also, name
    assert checks["test_custom_function.py::test_swish"]["order"] == 2


@pytest.mark.sweep
@pytest.mark.parametrize(
    ("file", "package"), [("test_entmax.py", "entmax"), ("test_torchdiffeq.py", "torchdiffeq")]
)
def test_packages_that_nobody_here_wrote(file, package, tmp_path):
    pytest.importorskip(package, reason=f"needs {package}, which the test extra installs")
    path = tmp_path / "report.json"
    status, output = run_pytest(f"docs/examples_third_party/{file}", "-n", "0", f"--gradcheck-report={path}")
    assert status == 0, output
    assert "skipped" not in output.splitlines()[-1]
    report = read(path)
    assert report["checks"]
    for check in report["checks"]:
        assert check["verdict"] == "pass", check["nodeid"]
        assert {"central", "torch"} <= ok(check), check["nodeid"]


def test_the_mistake_is_the_missing_three(tmp_path):
    """With the 3 put in, the example passes: it fails for the reason that its text gives."""
    text = (ROOT / "docs/examples/test_wrong_backward.py").read_text(encoding="utf-8")
    wrong = "inner = SCALE * (1 + 0.044715 * x**2)"
    assert text.count(wrong) == 1
    (tmp_path / "test_right.py").write_text(
        text.replace(wrong, "inner = SCALE * (1 + 3 * 0.044715 * x**2)"), encoding="utf-8"
    )
    status, output = run_pytest("-W", "error", str(tmp_path), "-n", "0", cwd=tmp_path)
    assert status == 0, output
