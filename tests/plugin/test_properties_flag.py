"""--gradcheck-properties, its ini key, the marker and the fixtures."""

from __future__ import annotations

from typing import Any

import pytest
from inner import WORKERS

SOURCE = """
import torch

class Boolean(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(x):
        y = torch.zeros_like(x)
        y[x > 0] = x[x > 0] ** 2
        return y

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx, g):
        return 2 * g * ctx.saved_tensors[0].clamp_min(0)

X = torch.tensor([0.3, -1.2], dtype=torch.float64)
one = hypothesis.settings(max_examples=3, database=None)

@one
@pytest.mark.gradcheck(x=tensors(2, min_value=1, max_value=2))
def test_all(x):
    return Boolean.apply(x)

@one
@pytest.mark.gradcheck(x=tensors(2, min_value=1, max_value=2), properties=["-vmap"])
def test_marker(x):
    return Boolean.apply(x)

def test_fixture(gradcheck):
    gradcheck(Boolean.apply, X, properties=["repeatable-backward"])
"""

HEAD = "import hypothesis\nfrom pytest_gradcheck import tensors\n"


def outcomes(project: Any, *args: str, workers: int = 0) -> dict[str, set[str]]:
    project.write(test_it=HEAD + SOURCE)
    project.run(
        *args, "-o", "gradcheck_methods=central,torch", "--gradcheck-report=report.json", workers=workers
    )
    checks = project.report()["checks"]
    return {
        c["nodeid"].partition("::")[2]: {p["name"] for p in c["properties"]}
        if c["verdict"] == "pass"
        else set()
        for c in checks
    }


@pytest.mark.parametrize("workers", WORKERS)
def test_the_flag_beats_the_marker(project: Any, workers: int) -> None:
    found = outcomes(project, "--gradcheck-properties=vmap,frozen-inputs", workers=workers)
    assert found == {"test_all": set(), "test_marker": set(), "test_fixture": set()}
    found = outcomes(project, "--gradcheck-properties=none", workers=workers)
    assert found.keys() == {"test_all", "test_marker", "test_fixture"}
    assert all(names == {"deterministic"} for names in found.values())


@pytest.mark.parametrize("between", [",", " ", "\n  "])
def test_the_marker_beats_the_ini_key(project: Any, between: str) -> None:
    project.pytester.makeini(f"[pytest]\ngradcheck_properties = -vmap{between}-zero-size-inputs\n")
    found = outcomes(project)
    assert "accumulates" in found["test_all"]
    assert not {"vmap", "zero-size-inputs"} & found["test_all"]
    assert "zero-size-inputs" in found["test_marker"]
    assert found["test_fixture"] == {"deterministic", "repeatable-backward"}


def test_without_a_selection_all_are_tried(project: Any) -> None:
    found = outcomes(project)
    assert found["test_all"] == set()
    assert "accumulates" in found["test_marker"]


def test_a_conftest_can_select(project: Any) -> None:
    project.write(
        conftest="""
import pytest

@pytest.fixture(scope="session")
def gradcheck_settings(gradcheck_settings):
    return gradcheck_settings.replace(properties=["-vmap"])
"""
    )
    assert "accumulates" in outcomes(project)["test_all"]


@pytest.mark.parametrize(
    ("flag", "message"),
    [
        ("vmop", "*--gradcheck-properties: got 'vmop'; did you mean 'vmap'? the properties are: *"),
        ("-vmop", "*--gradcheck-properties: got 'vmop'; did you mean 'vmap'? *"),
        ("none,vmap", "*--gradcheck-properties: got 'none' next to other names; *"),
    ],
)
def test_a_wrong_name_is_a_usage_error(project: Any, flag: str, message: str) -> None:
    project.write(test_it=HEAD + SOURCE)
    result = project.run(f"--gradcheck-properties={flag}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([message])


def test_a_wrong_name_in_the_ini_file_names_the_key(project: Any) -> None:
    project.pytester.makeini("[pytest]\ngradcheck_properties = -vmop\n")
    result = project.run()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*ini key gradcheck_properties: got 'vmop'; did you mean 'vmap'? *"])


def test_a_wrong_name_in_a_marker_is_an_error_of_the_collection(project: Any) -> None:
    project.write(test_it=HEAD + SOURCE.replace('"-vmap"', '"-vmop"'))
    result = project.run()
    result.stdout.fnmatch_lines(["*properties: got 'vmop'; did you mean 'vmap'? *"])
    assert result.ret != 0
