"""torch's own database of operators: what is right is not flagged, in float64 and in float32."""

import warnings

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("expecttest", reason="torch's testing modules import it")

from torch.testing._internal.common_methods_invocations import op_db  # noqa: E402  # after the skips

from pytest_gradcheck import InvalidArgument, check_gradients  # noqa: E402  # the same

pytestmark = pytest.mark.sweep

TRIANGLE = "reads one triangle; torch gives the gradient as if the argument were kept symmetric"
DETACHED = "some outputs depend on the input, and torch gives them no gradient"
DUPLICATES = "of several values for one place one stays; torch gives all of them a gradient"

#: Operators whose gradient in torch is not that of the function as it is called here.
WRONG = {
    "cholesky": TRIANGLE,
    "cholesky_inverse": TRIANGLE,
    "linalg.cholesky": TRIANGLE,
    "linalg.cholesky_ex": TRIANGLE,
    "linalg.eigh": TRIANGLE,
    "linalg.eigvalsh": TRIANGLE,
    "linalg.pinv": TRIANGLE,
    "linalg.eig": "eigenvectors are defined up to a phase, and torch's backward refuses to guess it",
    "native_layer_norm": DETACHED,
    "native_batch_norm": DETACHED,
    "_native_batch_norm_legit": DETACHED,
    "_batch_norm_with_update": DETACHED,
    "nn.functional.max_unpool1d": DUPLICATES,
    "nn.functional.max_unpool2d": DUPLICATES,
    "nn.functional.max_unpool3d": DUPLICATES,
    "as_strided_scatter": "torch gives what was overwritten a gradient, and what was kept none",
    "normal": "torch gives the mean and the deviation of its random numbers no gradient",
    "nn.functional.ctc_loss": "torch's gradient is that after a log_softmax which the function does not take",
}


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=["float64", "float32"])
@pytest.mark.parametrize("op", op_db, ids=lambda op: f"{op.name}.{op.variant_test_name}".rstrip("."))
def test_a_right_operator_is_not_flagged(op, dtype):
    if not op.supports_autograd or dtype not in op.supported_dtypes("cpu"):
        pytest.skip("the operator has no gradient in this dtype")
    with warnings.catch_warnings():
        # Deprecations of operators under test are not this project's.
        warnings.simplefilter("ignore")
        torch.manual_seed(0)
        sample = next(iter(op.sample_inputs("cpu", dtype, requires_grad=True)))
        try:
            result = check_gradients(
                lambda *args: op(*args, **sample.kwargs), (sample.input, *sample.args), name=op.name
            )
        except InvalidArgument as error:
            pytest.skip(f"nothing to check: {error}")
    if op.name not in WRONG:
        assert result.verdict != "fail", str(result)
