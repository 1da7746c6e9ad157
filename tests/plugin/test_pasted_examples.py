"""The line that a failure prints brings it back: for every kind of input that a marked test can have."""

from __future__ import annotations

from typing import Any

import pytest

HEAD = """
import torch
from math import inf, nan
from pytest_gradcheck import arrays, modules, scalars, tensors
from pytest_gradcheck.testing import corrupt

pytestmark = pytest.mark.gradcheck(methods=("central", "torch"))
wrong = corrupt(lambda x: 3 * x * x, "sign")

class Network(torch.nn.Sequential):
    def __init__(self, width):
        super().__init__(torch.nn.Linear(2, width), torch.nn.BatchNorm1d(width, affine=False).eval())

    def forward(self, x):
        return super().forward(x[None])[0]
"""

#: By name, the test's inputs and its body.
KINDS = {
    "single": ({"x": "tensors((2, 3), 'float32')"}, "wrong(x)"),
    "reversed": ({"x": "arrays(4, 'complex128').map(lambda x: x[::-1])"}, "wrong(x)"),
    "containers": (
        {"x": "st.fixed_dictionaries({'a': st.tuples(tensors(2), st.just(3)), 'b': st.lists(tensors(()))})"},
        "wrong(x['a'][0]).sum() + sum(x['b'])",
    ),
    "nan": (
        {"x": "tensors(2)", "y": "st.just(torch.tensor([nan, inf, -0.0]))"},
        "wrong(x).sum() + 0 * len(y)",
    ),
    "module": (
        {"x": "tensors(2)", "m": "modules(torch.nn.Linear, 2, st.integers(1, 2), bias=st.booleans())"},
        "wrong(m(x))",
    ),
    "network": ({"x": "tensors(2)", "m": "modules(Network, 2)"}, "wrong(m(x))"),
    "floats": ({"x": "scalars()"}, "wrong(x)"),
    "half": ({"x": "tensors(3, 'bfloat16')"}, "wrong(x)"),
    "transposed": ({"x": "arrays((2, 3)).map(lambda x: x.T)"}, "wrong(x)"),
    "strided": ({"x": "tensors(6).map(lambda x: x[::2])"}, "wrong(x)"),
    "expanded": ({"x": "tensors((1, 3)).map(lambda x: x.expand(2, 3))"}, "wrong(x)"),
    "many": ({"x": "tensors((30, 20))"}, "wrong(x)"),
}


def source(kinds: list[str], decorators: dict[str, str]) -> str:
    parts = [HEAD]
    for kind in kinds:
        inputs, body = KINDS[kind]
        marker = ", ".join(f"{name}={strategy}" for name, strategy in inputs.items())
        parts.append(
            f"@pytest.mark.gradcheck({marker})\n{decorators.get(kind, '')}"
            f"def test_{kind}({', '.join(inputs)}):\n    return {body}\n"
        )
    return "\n".join(parts)


@pytest.mark.parametrize(
    "kinds", [[*KINDS][:5], pytest.param([*KINDS][5:], marks=pytest.mark.sweep)], ids=["some", "others"]
)
def test_every_kind_of_input(project: Any, kinds: list[str]) -> None:
    pytest.importorskip("torch", reason="half of the inputs are its tensors")
    # Unshrunk, the inputs are any numbers, and not ones and zeros alone.
    project.conftest(
        """
        from hypothesis import Phase
        phases = [Phase.explicit, Phase.generate]
        settings.register_profile("unshrunk", parent=settings.default, phases=phases)
        settings.load_profile("unshrunk")
        """
    )

    def run(decorators: dict[str, str]) -> tuple[pytest.RunResult, dict[str, Any]]:
        project.write(test_it=source(kinds, decorators))
        result = project.run("--gradcheck-report=report.json")
        result.assert_outcomes(failed=len(kinds))
        return result, {check["name"].removeprefix("test_"): check for check in project.report()["checks"]}

    result, first = run({})
    printed, kind = {}, ""
    for line in result.outlines:
        if line.startswith("wrong gradient: test_"):
            kind = line.partition("test_")[2]
        if "try again: " in line:
            printed[kind] = f"{line.partition('try again: ')[2]}\n@settings(phases=[Phase.explicit])\n"
    assert set(printed) == set(kinds)
    _, again = run(printed)
    for kind in kinds:
        told = [(c["verdict"], c["culprit"], c["diagnosis"], c["worst"]) for c in (first[kind], again[kind])]
        assert told[0] == told[1]
        # How a module that was not drawn was made is unknown.
        assert first[kind]["inputs"].items() - again[kind]["inputs"].items() <= {
            ("m", first[kind]["inputs"].get("m"))
        }
        assert again[kind]["examples"] == 1
