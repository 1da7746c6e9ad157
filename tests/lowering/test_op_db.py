"""torch's own database of operators: values and gradients on the engine are torch's, exceptions named."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("expecttest", reason="torch's testing modules import it")

from torch.testing._internal.common_methods_invocations import op_db  # noqa: E402  # the same

import reference_engine as engine  # noqa: E402  # after the skips
from pytest_gradcheck.lowering import lower, tree  # noqa: E402  # the same

pytestmark = pytest.mark.sweep

TRIANGLE = "reads one triangle; torch gives the gradient as if the argument were kept symmetric"
SINGLE = "computes in lower precision inside, and torch's gradient is only as exact"
DUPLICATES = "of several values for one place one stays; torch gives all of them a gradient"
NO_RULE = "no rule"

# Operators on which engine and torch do not agree, or that the table does not carry, with the reason.
KNOWN = {
    "cholesky": TRIANGLE,
    "cholesky_inverse": TRIANGLE,
    "cholesky_solve": TRIANGLE,
    "linalg.cholesky": TRIANGLE,
    "linalg.cholesky_ex": TRIANGLE,
    "linalg.eigh": TRIANGLE,
    "linalg.eigvalsh": TRIANGLE,
    "linalg.pinv.hermitian": TRIANGLE,
    "bfloat16": SINGLE,
    "cfloat": SINGLE,
    "chalf": SINGLE,
    "cov": SINGLE,
    "float": SINGLE,
    "half": SINGLE,
    "nn.functional.hardsigmoid": SINGLE,  # 1/6 in torch's backward is a float32
    "nn.functional.max_unpool1d": DUPLICATES,
    "nn.functional.max_unpool2d": DUPLICATES,
    "nn.functional.max_unpool3d": DUPLICATES,
    "as_strided_scatter": "torch gives a scalar that was overwritten through size () a gradient of 1",
    "linalg.lstsq": "residuals, which not every driver has",
    "linalg.lu": "LU of matrices that are not square",
    "linalg.lu_factor": "LU of matrices that are not square",
    "linalg.lu_factor_ex": "LU of matrices that are not square",
    "lu": "LU of matrices that are not square",
    "linalg.svd": "full U and V of matrices that are not square",
    "svd": "full U and V of matrices that are not square",
    "nn.functional.linear_cross_entropy.chunked": NO_RULE,
    "nn.functional.linear_cross_entropy.chunked_none": NO_RULE,
    "to_sparse": "sparse results",
}


def name_of(op: Any) -> str:
    return str(op.name + ("." + op.variant_test_name if op.variant_test_name else ""))


OPERATORS = {
    name_of(op): op
    for op in op_db
    if op.supports_autograd
    and torch.float64 in op.supported_dtypes("cpu")
    and not op.name.startswith("sparse")
}


def samples(op: Any) -> Iterator[tuple[Any, list[Any], list[Any]]]:
    """The lowered function, the tensors in its arguments and in its result; up to 1,000 entries."""
    for sample in op.sample_inputs("cpu", torch.float64, requires_grad=True):
        args, kwargs = (sample.input, *sample.args), sample.kwargs
        inputs = tree.tensors((args, kwargs))
        if sum(t.numel() for t in inputs) > 1000 or len({id(t) for t in inputs}) != len(inputs):
            continue

        def fn(*a: Any, process: Any = sample.output_process_fn_grad, **k: Any) -> Any:
            return process(op.op(*a, **k)) if process else op.op(*a, **k)

        torch.manual_seed(0)
        try:
            expected = tree.tensors(fn(*args, **kwargs))
        except Exception:  # samples that torch itself refuses
            continue
        torch.manual_seed(0)
        yield lower(fn, args, kwargs), inputs, expected


def close(ours: Any, theirs: Any, rtol: float) -> bool:
    if not isinstance(theirs, np.ndarray):
        theirs = theirs.detach().to_dense() if theirs.layout is not torch.strided else theirs.detach()
        theirs = theirs.resolve_conj().resolve_neg().numpy(force=True)
    ours = np.asarray(ours)
    return ours.shape == theirs.shape and np.allclose(ours, theirs, rtol=rtol, atol=rtol, equal_nan=True)


@pytest.mark.parametrize("name", [name for name in OPERATORS if name not in KNOWN])
@pytest.mark.filterwarnings("ignore")  # torch's samples exercise its own deprecations
def test_operator(name: str) -> None:
    rng = np.random.default_rng(0)
    for lowered, inputs, expected in samples(OPERATORS[name]):
        start = lowered.inputs()
        for ours, theirs in zip(lowered(*start), expected, strict=True):
            assert close(ours, theirs, 1e-9), lowered.operations
        wrt = [i for i, t in enumerate(inputs) if t.requires_grad]
        chosen = [
            i for i, t in enumerate(expected) if t.requires_grad and (t.is_floating_point() or t.is_complex())
        ]
        if not wrt or not chosen:
            continue

        def of_chosen(
            *values: Any, lowered: Any = lowered, start: Any = start, wrt: Any = wrt, chosen: Any = chosen
        ) -> list[Any]:
            full = list(start)
            for i, value in zip(wrt, values, strict=True):
                full[i] = value
            outputs = lowered(*full)
            return [outputs[i] for i in chosen]

        values, pullback = engine.vjp(of_chosen, *(start[i] for i in wrt))
        cotangents = []
        for value in map(np.asarray, values):
            imaginary = 1j * rng.standard_normal(value.shape) if value.dtype.kind == "c" else 0
            cotangents.append(np.asarray(rng.standard_normal(value.shape) + imaginary))
        gradients = pullback(cotangents)
        try:
            theirs = torch.autograd.grad(
                [expected[i] for i in chosen],
                [inputs[i] for i in wrt],
                [torch.from_numpy(c) for c in cotangents],
                allow_unused=True,
            )
        except RuntimeError:  # torch has no derivative
            continue
        for i, ours, their in zip(wrt, gradients, theirs, strict=True):
            assert close(ours, np.zeros(inputs[i].shape) if their is None else their, 1e-8), (
                lowered.operations
            )


def test_the_table_covers_what_it_claims() -> None:
    assert set(KNOWN) <= set(OPERATORS) | {"chalf", "nn.functional.linear_cross_entropy.chunked_none"}
    uncovered = [name for name, reason in KNOWN.items() if reason in (NO_RULE, "sparse results")]
    assert len(uncovered) <= 0.05 * len(OPERATORS)
