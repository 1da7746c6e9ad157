"""What a check leaves as it found it, and what the function is called with."""

import random

import array_api_compat
import numpy as np
import pytest
import torch

from pytest_gradcheck import check_gradients


def test_global_random_states_are_as_before():
    def fn(x):
        return x * random.random() * np.random.rand() * torch.rand(())

    states = random.getstate(), np.random.get_state()[1].copy(), torch.get_rng_state()
    result = check_gradients(fn, torch.ones(3))

    assert result.verdict == "pass", str(result)
    assert random.getstate() == states[0]
    np.testing.assert_array_equal(np.random.get_state()[1], states[1])
    assert torch.equal(torch.get_rng_state(), states[2])


@pytest.mark.parametrize(
    "draw",
    [
        random.random,
        lambda: random.gauss(0, 1),
        np.random.normal,
        np.random.rand,
        lambda: float(torch.rand(())),
    ],
    ids=["random", "gauss", "normal", "rand", "torch"],
)
def test_every_call_draws_the_same_from_whichever_generator(draw):
    drawn = []

    def fn(x):
        drawn.append(float(draw()))
        return x * drawn[-1]

    result = check_gradients(fn, torch.ones(3), methods=("central", "torch"))
    assert result.verdict == "pass", str(result)
    assert len(drawn) > 3
    assert len(set(drawn)) == 1


def test_the_first_draw_is_that_of_the_seed_where_the_point_itself_draws_nothing():
    drawn = []

    def fn(x):
        if x[0] == 1.0:
            return x * 0.5
        drawn.append(random.random())
        return x * 0.5

    result = check_gradients(fn, np.ones(3))
    assert result.verdict == "pass", str(result)
    # It goes on from where every call of a function that draws at the point starts.
    assert drawn[0] == random.Random(result.seed).random()


@pytest.mark.parametrize(("odd", "verdict"), [(1, "pass"), (2, "inconclusive")])
def test_a_first_call_unlike_the_others_is_no_noise_and_a_second_is(odd, verdict):
    calls = []

    def fn(x):
        calls.append(x)
        return torch.sin(x) + (1e-3 if len(calls) == odd else 0.0)

    result = check_gradients(fn, torch.linspace(0.5, 1, 3, dtype=torch.float64))
    assert result.verdict == verdict, str(result)


@pytest.mark.skipif(torch.accelerator.is_available(), reason="torch seeds a device that is there")
def test_random_numbers_cost_no_stack_for_each_call(monkeypatch):
    stacks = []
    monkeypatch.setattr("traceback.format_stack", lambda *_: stacks.append("a stack") or stacks)
    check_gradients(lambda x: x * torch.rand(()), torch.ones(3))
    assert not stacks


def test_dropout_is_checked_under_one_mask():
    x = torch.linspace(1, 2, 50)

    assert check_gradients(lambda x: torch.nn.functional.dropout(x, 0.5), x).verdict == "pass"


def test_the_same_seed_gives_the_same_result():
    x = np.linspace(-1, 1, 40)
    first, second = (check_gradients(lambda x: np.sin(x) * x[0], x).to_dict() for _ in range(2))

    for method in (*first["methods"].values(), *second["methods"].values()):
        del method["seconds"]
    assert first == second
    assert check_gradients(lambda x: np.sin(x), x, seed=5).seed == 5


def test_inputs_are_not_changed_and_in_place_functions_are_checked():
    def fn(x):
        x *= 2
        return x.sum()

    x, t = np.ones(3), torch.ones(3)
    assert check_gradients(fn, t).verdict == "pass"
    check_gradients(fn, x)

    np.testing.assert_array_equal(x, np.ones(3))
    assert torch.equal(t, torch.ones(3))


def test_a_neighbour_that_cannot_be_evaluated_shrinks_the_step():
    import math

    result = check_gradients(lambda x: math.log(x), 1e-3, gradient=lambda x: 1 / x)

    assert result.verdict == "pass", str(result)


def test_array_api_functions_run_under_every_method():
    def fn(x):
        xp = array_api_compat.array_namespace(x)
        return xp.sum(xp.exp(x) * xp.permute_dims(x, (1, 0))) / xp.linalg.vector_norm(x)

    result = check_gradients(fn, np.array([[0.3, 1.0], [-0.7, 0.2]]))

    assert result.verdict == "pass", str(result)
    assert {m.status for m in result.methods.values()} == {"ok"}, str(result)


def test_forces_from_an_energy():
    def force(x):
        leaf = x.requires_grad_() if not x.requires_grad else x
        return torch.autograd.grad((leaf**3).sum(), leaf, create_graph=True)[0]

    result = check_gradients(force, torch.tensor([1.0, 2.0], dtype=torch.float64))

    assert result.verdict == "pass", str(result)


def test_sparse_inputs_get_a_clear_error():
    from pytest_gradcheck import InvalidArgument

    with pytest.raises(InvalidArgument, match="layout"):
        check_gradients(lambda x: x.to_dense(), torch.eye(2).to_sparse())


def test_methods_may_be_any_iterable_of_names():
    result = check_gradients(np.sin, 1.0, methods=(m for m in ("central", "torch")))

    assert result.verdict == "pass"
    assert set(result.methods) == {"central", "torch"}


@pytest.mark.parametrize(
    "array",
    [
        np.arange(6.0).reshape(2, 3).T,
        np.arange(24.0).reshape(2, 3, 4).transpose(2, 0, 1),
        np.repeat(np.arange(6.0).reshape(2, 3), 2, -1)[..., ::2],
        np.arange(6.0).reshape(2, 3)[:, ::-1],
        np.arange(6.0)[::-2],
        np.arange(6, dtype=np.float32).reshape(2, 3)[::-1],
    ],
    ids=["fortran", "transposed", "gaps", "backwards", "backwards with gaps", "float32"],
)
def test_the_function_sees_the_layout_of_its_arrays(array):
    seen = []

    def fn(x):
        if type(x) is np.ndarray:
            seen.append((x.strides[0] // x.itemsize, x.strides[-1] // x.itemsize, x.shape))
        return (x * x).sum()

    assert check_gradients(fn, array).verdict == "pass"
    want = (array.strides[0] // array.itemsize, array.strides[-1] // array.itemsize, array.shape)
    assert set(seen) == {want}
    assert len(seen) > 5


def test_entries_that_share_memory_are_told_apart():
    assert (
        check_gradients(lambda x: (x * x).sum(), np.broadcast_to(np.array([1.0, 2.0]), (3, 2))).verdict
        == "pass"
    )
