"""Arrays with a structure have it, in every example, and shrink to a simple one."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from drawing import examples, minimal
from hypothesis import strategies as st

from pytest_gradcheck import (
    arrays,
    broadcastable,
    check_gradients,
    distinct,
    indices,
    modules,
    orthogonal,
    positive_definite,
    probabilities,
    shapes,
    size,
    sorted_,
    tensors,
)
from pytest_gradcheck.errors import InvalidArgument
from pytest_gradcheck.strategies import domain_of

pytestmark = pytest.mark.kernels


def test_positive_definite() -> None:
    drawn = examples(positive_definite((2, 3), condition=50.0), 60)
    for a in drawn:
        assert a.shape == (2, 3, 3)
        assert (a == a.swapaxes(-1, -2)).all()
        values = np.linalg.eigvalsh(a)
        assert values.min() > 1 - 1e-12
        assert (values.max(-1) <= 50 * values.min(-1) * (1 + 1e-12)).all()
    assert any((np.diff(np.linalg.eigvalsh(a)) < 1e-12).any() for a in drawn), "equal eigenvalues"
    assert any(np.count_nonzero(a) == 6 for a in drawn), "diagonal"
    assert (minimal(positive_definite(3), lambda a: True) == np.eye(3)).all()
    assert domain_of(positive_definite(3)) is None


@pytest.mark.parametrize(
    ("size", "condition", "dtype"),
    [
        (2, 100.0, "float64"),
        (4, 100.0, "float64"),
        (3, 1.5, "float64"),
        (6, 1e6, "float64"),
        (3, 10.0, "float32"),
    ],
)
def test_eigenvalues_are_equal_or_apart(size: int, condition: float, dtype: str) -> None:
    drawn = examples(positive_definite(size, condition=condition, dtype=dtype), 120)
    gap = (condition - 1.0) / (4 * (size - 1))
    diagonal = [a for a in drawn if np.count_nonzero(a) == size]
    others = [a for a in drawn if np.count_nonzero(a) > size]
    for a in diagonal:
        apart = np.diff(np.sort(np.diag(a)))
        assert ((apart == 0.0) | (apart > 0.99 * gap)).all(), a
    for a in others:
        assert np.diff(np.linalg.eigvalsh(a)).min() > 0.99 * gap, a
    equal = [a for a in diagonal if len(np.unique(np.diag(a))) < size]
    assert len(others) > 60
    assert 0 < len(equal) <= len(drawn) / 4


def test_a_condition_of_one_leaves_the_identity() -> None:
    assert all((a == np.eye(3)).all() for a in examples(positive_definite(3, condition=1.0), 30))


def test_batches_of_matrices_have_their_own_eigenvalues() -> None:
    for a in examples(positive_definite((3, 2), condition=9.0), 60):
        apart = np.diff(np.linalg.eigvalsh(a)).ravel()
        assert ((apart == 0.0) | (apart > 1.99)).all(), a


def test_a_cholesky_factorisation_is_checked_at_them() -> None:
    for a in examples(positive_definite("n", library="torch"), 12):
        result = check_gradients(lambda a: torch.linalg.cholesky((a + a.mT) / 2).sum(), a)
        assert result.verdict == "pass", result


def test_orthogonal() -> None:
    drawn = examples(orthogonal((4, 3)), 60)
    for q in drawn:
        assert np.abs(q.T @ q - np.eye(3)).max() < 1e-12
        assert not np.signbit(q[q == 0.0]).any()
    assert {q.shape for q in examples(orthogonal("n"), 60)} == {(n, n) for n in (1, 2, 3, 4)}
    square = examples(orthogonal(2), 60)
    assert {round(float(np.linalg.det(q))) for q in square} == {-1, 1}
    assert (minimal(orthogonal(3), lambda q: True) == np.eye(3)).all()


def test_probabilities() -> None:
    drawn = examples(probabilities((2, 4)), 100)
    for p in drawn:
        assert np.abs(p.sum(-1) - 1).max() < 1e-12
        assert p.min() >= 0.0
        assert p.max() <= 1.0
    assert any((p == 1.0).any() for p in drawn), "certainty"
    assert any((p == 0.25).all() for p in drawn), "uniform"
    assert any((p == 0.0).any() for p in drawn)
    bounded = probabilities(3, min_value=0.1)
    assert min(float(p.min()) for p in examples(bounded, 60)) == pytest.approx(0.1)
    assert domain_of(bounded) == (0.1, 1.0)
    assert minimal(probabilities(2), lambda p: True).tolist() == [0.5, 0.5]


@pytest.mark.parametrize("shape", [(4, 3), (100,), ()])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_distinct_entries_are_apart(shape: tuple[int, ...], dtype: str) -> None:
    for x in examples(distinct(shape, gap=0.125, min_value=-7, dtype=dtype), 30):
        assert x.shape == shape
        assert x.dtype == dtype
        assert np.diff(np.sort(x.ravel())).min(initial=1.0) >= 0.125
        assert x.min(initial=0.0) >= -7


def test_sorted_entries_rise() -> None:
    for x in examples(sorted_((2, 4)), 50):
        assert np.diff(x).min() >= 0.25
    assert minimal(sorted_(3), lambda x: True).tolist() == [-1.0, 0.0, 1.0]
    assert domain_of(sorted_(3, min_value=0)) == (0.0, math.inf)


def test_a_median_is_checked_without_ties() -> None:
    for x in examples(distinct(5, library="torch"), 12):
        assert check_gradients(torch.median, x).verdict == "pass"


def test_indices() -> None:
    drawn = examples(indices((2, 3), into=4), 100)
    assert {x.dtype for x in drawn} == {np.dtype(np.int64)}
    assert {i for x in drawn for i in x.ravel().tolist()} == {0, 1, 2, 3}
    assert any((x == x.flat[0]).all() and x.any() for x in drawn)
    assert any(len(np.unique(x)) < 6 for x in drawn)
    assert any(x.ravel().tolist() == [0, 1, 2, 3, 0, 1] for x in drawn)
    pairs = st.tuples(arrays("n"), indices("k", into=size("n"), library="torch"))
    for x, i in examples(pairs, 60):
        assert i.dtype == torch.int64
        assert int(i.max()) < len(x)
    assert {x.size for x in examples(indices(300, into=7), 5)} == {300}


# -- shapes ----------------------------------------------------------------------------------------


def test_names_are_one_number_in_all_inputs() -> None:
    inputs = st.tuples(arrays("n k"), tensors("k m"), arrays("*batch n 2"), arrays("*batch n+k"), size("k"))
    drawn = examples(inputs, 100)
    for a, b, c, d, k in drawn:
        assert a.shape[1] == b.shape[0] == k
        assert c.shape[-2:] == (a.shape[0], 2)
        assert d.shape == (*c.shape[:-2], sum(a.shape))
    assert len({a.shape for a, *_ in drawn}) > 8


def test_broadcastable_shapes() -> None:
    drawn = examples(st.tuples(arrays("n k"), *[arrays(broadcastable("n k"))] * 2), 150)
    for full, a, b in drawn:
        assert np.broadcast_shapes(full.shape, a.shape, b.shape) == full.shape
    assert {a.ndim for _, a, _ in drawn} == {0, 1, 2}
    assert any(a.shape == (1, full.shape[1]) != full.shape for full, a, _ in drawn)
    assert {a.shape for a in examples(arrays(broadcastable((2, 3))), 100)} == {
        *((), (1,), (3,), (1, 1), (1, 3), (2, 1), (2, 3))
    }


def test_shapes_shrink() -> None:
    free = arrays(shapes(min_dims=0, max_dims=3, min_side=0, max_side=9))
    assert minimal(free, lambda x: x.ndim == 2 and x.size > 3).shape in {(1, 4), (4, 1), (2, 2)}
    assert minimal(free, lambda x: True).shape == ()


# -- modules ---------------------------------------------------------------------------------------


def test_modules_with_drawn_arguments_and_parameters() -> None:
    linear = modules(torch.nn.Linear, size("k"), 2, bias=st.booleans())
    state = torch.random.get_rng_state()
    drawn = examples(st.tuples(linear, tensors("n k")), 60)
    assert (torch.random.get_rng_state() == state).all()
    for layer, x in drawn:
        assert layer(x).shape == (x.shape[0], 2)
        assert layer.weight.dtype == torch.float64
        assert layer.weight.requires_grad
    assert {layer.bias is None for layer, _ in drawn} == {True, False}
    assert any(not layer.weight.any() for layer, _ in drawn)
    assert len({tuple(layer.weight.flatten().tolist()) for layer, _ in drawn}) > 20
    small = modules(torch.nn.Linear, 2, 2, dtype=torch.float32)
    assert {layer.weight.dtype for layer in examples(small, 5)} == {torch.float32}
    result = check_gradients(lambda layer, x: layer(x), drawn[-1])
    assert result.verdict == "pass"


# -- text and errors -------------------------------------------------------------------------------


def test_repr_reads_like_the_call() -> None:
    assert repr(positive_definite("n")) == "positive_definite('n')"
    assert repr(orthogonal((3, 2), library="torch")) == "orthogonal((3, 2), library='torch')"
    assert repr(probabilities(3, min_value=0.1)) == "probabilities(3, min_value=0.1)"
    assert repr(distinct(3, gap=0.5, dtype="float32")) == "distinct(3, gap=0.5, dtype='float32')"
    assert repr(sorted_(max_value=2)) == "sorted_(max_value=2)"
    assert repr(indices("m", into=3)) == "indices('m', into=3)"
    assert repr(modules(torch.nn.Linear, 3, 2, bias=False)) == "modules(Linear, 3, 2, bias=False)"


@pytest.mark.parametrize(
    ("call", "argument", "text"),
    [
        (lambda: positive_definite(2.5), "shape", "2.5"),
        (lambda: positive_definite(3, condition=0.5), "condition", "0.5; give a finite number, one or more"),
        (lambda: positive_definite(3, dtype="complex64"), "dtype", "'complex64'; use one of"),
        (lambda: positive_definite(3, library="cupy"), "library", "'cupy'; use one of numpy, jax, torch"),
        (lambda: examples(orthogonal((2, 3)), 1), "size", r"\(2, 3\).*as many rows"),
        (lambda: probabilities(3, min_value=0.4), "min_value", "0.4 for 3 entries; give at most 0.333"),
        (lambda: probabilities(3, min_value=-1), "min_value", "-1; give a number from 0"),
        (lambda: examples(probabilities(()), 1), "shape", "at least one axis"),
        (lambda: distinct(3, gap=0), "gap", "0; give a finite number above zero"),
        (lambda: distinct(3, gap="1"), "gap", "'1'; give a number above zero"),
        (lambda: distinct(30, gap=1.0), "gap", "30 entries 1.0 apart in"),
        (lambda: sorted_(3, min_value=1, max_value=1), "shape", "3 entries in"),
        (lambda: sorted_(3, min_value=2, max_value=1), "min_value", "2 above max_value=1"),
        (lambda: indices(3, into=0), "into", "0; give an int"),
        (lambda: indices(3, into="n"), "into", r"'n'.*size\(\"n\"\)"),
        (lambda: modules(3), "module", "3; give a class of modules"),
        (lambda: shapes(min_dims=-1), "min_dims", "-1; give a whole number"),
        (lambda: shapes(min_side=5), "min_side", "5 above max_side=4"),
        (lambda: size(""), "name", "''; give a name"),
        (lambda: size("n."), "name", "the size 'n.'"),
        (lambda: broadcastable(None), "shape", "None; say to what"),
        (lambda: arrays("n {k}"), "shape", "the size '{k}'"),
        (lambda: arrays(3, special="zeros"), "special", "'zeros'; give True, False, or some of"),
        (lambda: arrays(3, special=["zero"]), "special", "'zero'; give True"),
        (lambda: arrays(3, layout="expanded"), "layout", "'expanded'; use one of contiguous, fortran"),
        (lambda: arrays(3, dtype=[]), "dtype", "name some of"),
        (lambda: tensors(3, layout="reversed"), "layout", "'reversed'; use one of"),
        (lambda: tensors(3, device=3), "device", "3; give a torch device"),
        (lambda: tensors(3, requires_grad=1), "requires_grad", "1; give True or False"),
    ],
)
def test_wrong_arguments_are_named(call: Any, argument: str, text: str) -> None:
    with pytest.raises(InvalidArgument, match=text) as caught:
        call()
    assert caught.value.argument == argument
