"""What the message of each case in failing_cases.py says, and what it must not say."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

CASES = Path(__file__).with_name("failing_cases.py")

#: By test, what its message says, as patterns in any order, and after "!" what it does not say.
SAYS: dict[str, tuple[str, ...]] = {
    "uninitialised_rows": (
        r"Gather\.backward \(test_cases\.py:\d+\) returns memory that was never written \(torch\.empty",
        "! distinct failures",
        "! linear",
    ),
    "every_row_written_to_row_zero": (
        r"SwiGLU\.backward \(test_cases\.py:\d+\) returns memory that was never written.*: x\[1",
        "! distinct failures",
    ),
    "TestNorms.test_square": (
        r"code: +TestNorms\.<lambda> \(test_cases\.py:\d+\)",
        r"try again: @example\(x=",
    ),
    "lambda_in_the_reproduce_line": (
        r"reproduce: check_gradients\(fn, np\.array\(\[1\.0, 1.*\), gradient=gradient, seed=\d+\)  #",
        r"called at: test_cases\.py:\d+",
    ),
    "reproduce_line_keeps_options": (
        r"reproduce: check_gradients\(np\.sum, .*, gradient=gradient, rtol=0\.0001, domain=\(0\.5, 2\), s",
    ),
    "gradient_by_log_parameters": ("in all 4 entries", "! one entry"),
    "first_row_for_the_sum": (r"not the sum \[missing-sum\]",),
    "missing_transpose": ("wrong for x only; it is right where W is symmetric",),
    "small_fault_hides_the_large_one": (
        "gradient for b is zero but should not be; apart from that, 1 entry is off by at most",
        r"worst at: +d output / d b",
    ),
    "clamped_below_eps": (r"it is right where no input is as small as \de-\d\d",),
    "property_with_a_table_of_agreement": (
        "broken property: ",
        "the values of the gradient agree with central, forward and reference",
        r"code: +ReadsAsContiguous\.backward \(test_cases\.py:\d+\)",
        r"compared: +the gradient of x\n +as usual +\S+\n +with non-contiguous cotangents +\S+  <-- differs",
        "! worst at",
        "! expanded",
    ),
    "property_without_a_table": (
        "broken property: ",
        "writes into the cotangent of output; the values of the gradient agree",
        r"code: +ChangesCotangent\.backward \(test_cases\.py:\d+\)",
    ),
    "frozen_input": ("with x frozen Frozen returns None for the gradient of w", "! difference"),
    "forgotten_tangent": (
        r"code: +Jvp\.jvp \(test_cases\.py:\d+\)",
        r"u · Jv by Jvp\.jvp +\S+\n +u · Jv by Jvp\.backward +\S+  <-- differs",
        "! difference",
    ),
    "two_functions": (
        r"code: +Product\.backward \(test_cases\.py:\d+\); RowScale is right",
        "wrong for y only",
    ),
    "exception_in_backward": (
        r"NameError: name 'undefined'",
        r"code: +Raises\.backward \(test_cases\.py:\d+\)",
    ),
    "parametrized[2]": (r"wrong gradient: test_parametrized\[2\]",),
    "parametrized[3]": (r"wrong gradient: test_parametrized\[3\]",),
    "backward_in_the_body": (r"calls backward\(\) itself.*: return the output instead",),
    "inputs_not_in_a_tuple": (
        r"put all inputs into one tuple: gradcheck\(f, \(a, b\)\)",
        "! site-packages",
    ),
    "eps": ("steps are chosen automatically, and step= sets one", r"! def __call__"),
    "jax_function_numpy_in": ("pass jax arrays, or give gradient=", "! Tracer", "! TorchArray"),
    "math_sin": (
        r"math\.sin\(x\) takes the value out of the graph; use numpy\.sin, or give gradient=",
        "! scipy",
    ),
    "array_of_entries": (
        r"np\.array\(.*\) takes the value out of the graph; use numpy\.stack",
        "! math",
        "! scipy",
    ),
    "indices_beside_tensors": (
        r'a NumPy array for target next to torch tensors.*draw it with library="torch"',
    ),
    "torch_dtype_gives_arrays": (r"draw tensors\(\.\.\.\) instead, or pass torch tensors",),
    "conjugate": (r"of the conjugate cotangent.*\[conjugate\]",),
    "complex_jacobian_as_gradient": ("the output is complex: give vjp= instead", "! real part"),
    "transposed_jacobian": (r"\[transposed\]",),
    "transposed_jacobian_at_a_point": (r"\[transposed\]",),
    "iteration_to_1e_9": (
        r"if the function is computed by iteration, state how accurate its values are \(atol=1e-10\)",
    ),
    "vmap_that_cannot_be_switched_off": (
        r'declared: +properties=\("-vmap",\) leaves this property out',
        "the values of the gradient agree",
    ),
    "straight_through": ("pass that function as surrogate=", "! distinct failures"),
    "spiking_surrogate": ("pass that function as surrogate=", "! distinct failures", "! ± inf"),
}

# The cases take half a minute together.
pytestmark = pytest.mark.sweep

#: Made once.
_sections: dict[str, str] = {}


@pytest.fixture
def sections(pytester: pytest.Pytester) -> dict[str, str]:
    if not _sections:
        pytester.makepyfile(test_cases=CASES.read_text(encoding="utf-8"))
        flags = ("-p", "no:cacheprovider", "-p", "no:xdist", "--hypothesis-seed=1")
        text = pytester.runpytest_subprocess(*flags).stdout.str()
        parts = re.split(r"^_{5,} (\S+) _{5,}$", text.partition("= FAILURES =")[2], flags=re.MULTILINE)
        _sections.update(zip(parts[1::2], parts[2::2], strict=True))
    return _sections


@pytest.mark.parametrize("name", SAYS)
def test_a_message_says_what_a_user_can_act_on(sections: dict[str, str], name: str) -> None:
    text = sections[name if "." in name else f"test_{name}"]
    for pattern in SAYS[name]:
        if pattern.startswith("! "):
            assert not re.search(pattern.removeprefix("! "), text), text
        else:
            assert re.search(pattern, text), text


def test_every_case_has_its_row(sections: dict[str, str]) -> None:
    right = {"jax_array_in", "zero_size_that_cannot_be_switched_off"}
    cases = set(re.findall(r"^def test_(\w+)\(", CASES.read_text(encoding="utf-8"), re.MULTILINE))
    rows = {name.partition("[")[0].rpartition(".")[2] for name in SAYS}
    assert cases - right == rows - {"test_square"}
    assert set(sections) == {name if "." in name else f"test_{name}" for name in SAYS}
