"""Random operations: those whose parameters depend on the inputs accuse no gradient, the others hide none."""

import pytest
import torch
from torch import distributions
from torch.nn import functional

from pytest_gradcheck import check_gradients
from pytest_gradcheck.frameworks.torch.lowering import LoweringError, lower
from pytest_gradcheck.frameworks.torch.lowering.operations import FRESH, SAMPLERS, WHOLE
from pytest_gradcheck.testing import corrupt


def f64(values):
    return torch.tensor(values, dtype=torch.float64)


A, B, P = f64([1.0, 1.0, 2.0]), f64([0.5, 1.0, 3.0]), f64([0.2, 0.5, 0.7])


class ImplicitGamma(torch.autograd.Function):
    """Implicit reparameterisation by hand: the graph does not show the sampler."""

    @staticmethod
    def forward(ctx, shape):
        sample = torch._standard_gamma(shape)
        ctx.save_for_backward(shape, sample)
        return sample

    @staticmethod
    def backward(ctx, cotangent):
        return cotangent * torch._standard_gamma_grad(*ctx.saved_tensors)


#: Functions that torch differentiates otherwise than their values move for the same random numbers, and the
#: operation that draws.
SAMPLED = {
    "gamma": (lambda a, b: distributions.Gamma(a, b).rsample(), (A, B), "_standard_gamma"),
    "chi2": (lambda a: distributions.Chi2(a).rsample(), A, "_standard_gamma"),
    "student": (lambda a: distributions.StudentT(a).rsample(), A, "_standard_gamma"),
    "inverse gamma": (lambda a, b: distributions.InverseGamma(a, b).rsample(), (A, B), "_standard_gamma"),
    "fisher": (lambda a, b: distributions.FisherSnedecor(a, b).rsample(), (A, B), "_standard_gamma"),
    "beta": (lambda a, b: distributions.Beta(a, b).rsample(), (A, B), "_sample_dirichlet"),
    "dirichlet": (lambda a: distributions.Dirichlet(a).rsample(), A, "_sample_dirichlet"),
    "by hand": (ImplicitGamma.apply, A, "_standard_gamma"),
    "deep": (lambda a: torch._standard_gamma(a.exp() + 1).log().cumsum(0), A, "_standard_gamma"),
    "float32": (lambda a: torch._standard_gamma(a), A.float(), "_standard_gamma"),
    "normal of tensors": (lambda a, b: torch.normal(a, b), (A, B), "normal"),
    "normal of a mean": (lambda a: torch.normal(a, 2.0), A, "normal"),
    "normal of a deviation": (lambda b: torch.normal(0.0, b) * b, B, "normal"),
    "score": (lambda a: distributions.Gamma(a, 1.0).log_prob(distributions.Gamma(a, 1.0).sample()), A,
              "_standard_gamma"),
}  # fmt: skip


@pytest.mark.parametrize(("fn", "inputs", "operation"), SAMPLED.values(), ids=SAMPLED)
def test_no_sampler_is_accused(fn, inputs, operation):
    for seed in (0, 1):
        result = check_gradients(fn, inputs, seed=seed)
        assert result.verdict == "inconclusive", str(result)
        for method in ("central", "forward", "reference"):
            assert result.methods[method].status == "unavailable"
            assert f"aten::{operation}" in result.methods[method].reason


def fixed(fn):
    """Start the generator inside the function, as code does that wants to repeat its draws."""

    def fn_of_a_seed(*inputs):
        with torch.random.fork_rng():
            torch.manual_seed(3)
            return fn(*inputs)

    return fn_of_a_seed


@pytest.mark.parametrize("name", ["normal of tensors", "normal of a mean", "normal of a deviation", "gamma"])
def test_no_sampler_that_starts_its_own_generator_is_accused(name):
    fn, inputs, operation = SAMPLED[name]
    result = check_gradients(fixed(fn), inputs)
    assert (result.verdict, result.rule) == ("inconclusive", "unmeasured"), str(result)
    assert f"aten::{operation}" in result.diagnosis.text


def test_noise_of_an_own_generator_hides_no_wrong_gradient():
    wrong = corrupt(lambda a: torch.rand_like(a) * a**2, "double")
    result = check_gradients(fixed(wrong), A)
    assert (result.verdict, result.culprit) == ("fail", "torch"), str(result)


@pytest.mark.parametrize(
    "methods", [("central", "torch"), ("reference", "torch"), ("central", "forward", "torch")]
)
def test_the_methods_that_were_asked_for_do_not_matter(methods):
    result = check_gradients(lambda a: distributions.Gamma(a, 1.0).rsample(), A, methods=methods)
    assert result.verdict == "inconclusive", str(result)


@pytest.mark.parametrize(
    "draw",
    [
        torch._standard_gamma, torch._sample_dirichlet, lambda a: torch.normal(a, a),
        lambda a: torch.normal(a, 2.0, out=torch.empty(3, dtype=a.dtype)),
    ],
    ids=["gamma", "dirichlet", "normal", "out"],
)  # fmt: skip
def test_the_engine_refuses_by_name(draw):
    with pytest.raises(LoweringError, match=r"aten::\w+.* draws from a distribution that depends") as caught:
        lower(lambda a: draw(a).sum(), (A,))
    assert caught.value.operation.startswith("aten::")


#: Functions that draw, whose values for the same random numbers are the function that torch differentiates.
HELD = {
    "normal": (lambda a, b: distributions.Normal(a, b).rsample(), (A, B)),
    "kumaraswamy": (lambda a, b: distributions.Kumaraswamy(a, b).rsample(), (A, B)),
    "gumbel": (lambda a, b: distributions.Gumbel(a, b).rsample(), (A, B)),
    "bernoulli": (lambda p: torch.bernoulli(p) * p, P),
    "bernoulli in place": (lambda p: torch.empty_like(p).bernoulli_(p) * p, P),
    "poisson": (lambda a: torch.poisson(a) * a, A),
    "multinomial": (lambda p: p[torch.multinomial(p, 2)] ** 2, P),
    "exponential": (lambda a: torch.empty_like(a).exponential_() / a, A),
    "functional": (lambda a: torch.ops.aten.exponential(a) / a, A),
    "dropout": (lambda a: functional.dropout(a, 0.5) ** 2, A),
    "alpha dropout": (lambda a: functional.alpha_dropout(a, 0.5, training=True), A),
    "rrelu": (lambda a: torch.rrelu(-a, training=True), A),
    "like": (lambda a: torch.rand_like(a) * a, A),
    # What its parameters are does not depend on the inputs: it is noise.
    "gamma noise": (lambda a: torch._standard_gamma(B) * a, A),
    "shape alone": (lambda a: torch.normal(torch.zeros_like(a), 1.0) * a, A),
}


class Off(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x * 1

    @staticmethod
    def backward(ctx, cotangent):
        return cotangent * 1.01


@pytest.mark.parametrize(("fn", "inputs"), HELD.values(), ids=HELD)
def test_other_draws_are_checked(fn, inputs):
    result = check_gradients(fn, inputs)
    assert result.verdict == "pass", str(result)
    assert result.methods["reference"].status == "ok"

    result = check_gradients(lambda *inputs: Off.apply(fn(*inputs)), inputs)
    assert (result.verdict, result.culprit) == ("fail", "torch"), str(result)


def test_inputs_that_are_no_parameters_of_the_sampler():
    fn = lambda a, x: distributions.Gamma(a, 1.0).rsample() * x.sin()  # noqa: E731  it is the function
    assert check_gradients(fn, (A, B)).verdict == "inconclusive"
    assert check_gradients(fn, (A, B), wrt="x").verdict == "pass"
    wrong = check_gradients(lambda a, x: Off.apply(fn(a, x)), (A, B), wrt="x")
    assert (wrong.verdict, wrong.culprit) == ("fail", "torch")


@pytest.mark.parametrize(
    "family", [distributions.Normal, distributions.Laplace, distributions.Gumbel, distributions.Beta]
)
def test_samples_that_are_meant_to_stop_gradients(family):
    def score(a, b):
        return family(a, b).log_prob(family(a, b).sample())

    result = check_gradients(score, (A, B), stop_gradients="intended")
    assert result.verdict == "pass", str(result)
    wrong = check_gradients(lambda a, b: Off.apply(score(a, b)), (A, B), stop_gradients="intended")
    assert wrong.verdict == "fail", str(wrong)


def test_a_sample_that_is_written_to_is_not_accused():
    def score(a, b):
        return distributions.Gamma(a, b).log_prob(distributions.Gamma(a, b).sample())

    assert check_gradients(score, (A, B), stop_gradients="intended").verdict == "inconclusive"
    assert check_gradients(score, (A, B), stop_gradients="intended", wrt="a").verdict == "pass"


def test_where_there_is_a_factor_of_zero():
    """The slope of x log y at zero is log y."""
    result = check_gradients(torch.xlogy, (f64([0.0, 0.0, 2.0]), f64([0.3, 2.0, 0.7])), wrt=0)
    assert result.verdict == "pass", str(result)
    assert result.methods["reference"].status == "ok"
    result = check_gradients(torch.special.xlog1py, (f64([0.0, 0.0]), f64([-0.3, 2.0])), wrt=0)
    assert result.methods["reference"].status == "ok"


def test_a_sampler_that_is_not_stopped_is_no_constant_either():
    fn = lambda a: distributions.Gamma(a, 1.0).rsample()  # noqa: E731  as above
    assert check_gradients(fn, A, stop_gradients="intended").verdict == "inconclusive"


def test_a_random_operation_without_a_rule_is_no_constant():
    @torch.library.custom_op(
        "gradcheck_samplers::stretched", mutates_args=(), tags=(torch.Tag.nondeterministic_seeded,)
    )
    def stretched(x: torch.Tensor) -> torch.Tensor:
        return x * torch.rand_like(x)

    def setup(ctx, inputs, output):
        ctx.save_for_backward(output / inputs[0])

    stretched.register_autograd(lambda ctx, g: g * ctx.saved_tensors[0], setup_context=setup)
    result = check_gradients(stretched, A)
    assert result.verdict == "pass", str(result)
    assert result.methods["reference"].status == "unavailable"
    assert "gradcheck_samplers::stretched" in result.methods["reference"].reason

    stretched.register_autograd(lambda ctx, g: g * ctx.saved_tensors[0] * 1.01, setup_context=setup)
    assert check_gradients(stretched, A).verdict == "fail"


def test_every_random_operation_is_known():
    """A release that brings another one has to say what its result depends on."""
    random = set()
    for schema in torch._C._jit_get_all_schemas():
        namespace, name = schema.name.split("::")
        operation = getattr(getattr(torch.ops.aten, name, None), schema.overload_name or "default", None)
        if namespace == "aten" and torch.Tag.nondeterministic_seeded in getattr(operation, "tags", ()):
            random.add(name)
    # Composed of others, with a rule of their own, in place, or without tensors to depend on.
    composed = {
        "alpha_dropout", "dropout", "feature_alpha_dropout", "feature_dropout", "gru", "lstm", "rnn_relu",
        "rnn_tanh", "rrelu", "scaled_dot_product_attention", "_scaled_dot_product_attention_math",
    }  # fmt: skip
    ruled = {
        "native_dropout", "rrelu_with_noise", "rrelu_with_noise_functional",
        "_scaled_dot_product_flash_attention_for_cpu",
    }  # fmt: skip
    shape_alone = {"rand", "rand_like", "randint", "randn", "randn_like", "randperm"}
    known = composed | ruled | shape_alone | SAMPLERS | WHOLE | {name.partition(".")[0] for name in FRESH}
    known |= {f"{name}_" for name in known}
    other_devices = ("cudnn", "mps", "miopen", "flash", "efficient", "triton", "overrideable", "mem_eff")
    rest = {name for name in random - known if not any(word in name for word in other_devices)}
    # Refused by name where they come up: they have neither a rule nor a decomposition.
    assert rest <= {"_fused_dropout", "_fused_sdp_choice", "_nested_tensor_softmax_with_shape"}
