"""Which inputs are differentiated, which are constants, and which are refused by name."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.sparse
import torch

from pytest_gradcheck import InvalidArgument, check_gradients
from pytest_gradcheck.core.check import check_in_test

pytestmark = pytest.mark.filterwarnings(
    "ignore:Sparse (CSR|CSC|BSR|BSC) tensor support is in beta:UserWarning",
    "ignore:The PyTorch API of nested tensors is in prototype:UserWarning",
)

X = torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64)
DENSE = torch.tensor([[1.0, 0.0, 2.0], [0.0, 3.0, 0.0], [4.0, 0.0, 5.0]], dtype=torch.float64)
LAYOUTS = {
    "coo": lambda: DENSE.to_sparse_coo(),
    "csr": lambda: DENSE.to_sparse_csr(),
    "csc": lambda: DENSE.to_sparse_csc(),
    "bsr": lambda: torch.eye(2, dtype=torch.float64).to_sparse_bsr((1, 1)),
    "bsc": lambda: torch.eye(2, dtype=torch.float64).to_sparse_bsc((1, 1)),
    "float32": lambda: DENSE.float().to_sparse_coo(),
    "complex": lambda: (DENSE * 1j).to_sparse_coo(),
    "uncoalesced": lambda: torch.sparse_coo_tensor(
        [[0, 0], [1, 1]], [1.0, 2.0], (3, 3), check_invariants=True
    ),
}


def total(x, other):
    return x.sum() * (1.0 if other is None else 2.0)


def refused(fn, inputs, **options):
    with pytest.raises(InvalidArgument) as caught:
        check_gradients(fn, inputs, **options)
    return caught.value


def constants(result):
    return {n.what: n.reason for n in result.not_checked}


class TestSparseTensors:
    @pytest.mark.parametrize("layout", LAYOUTS)
    def test_every_layout_is_refused_by_name(self, layout):
        error = refused(total, (X, LAYOUTS[layout]()))
        assert error.argument == "other"
        text = str(error)
        assert "other: got a tensor of layout torch.sparse_" in text
        assert text.endswith("make it from them inside the function, or leave it out: wrt=['x']")

    @pytest.mark.parametrize("wrt", [[0, 1], "other", ["x", "other"]])
    def test_wrt_that_names_one_is_refused(self, wrt):
        assert refused(total, (X, LAYOUTS["coo"]()), wrt=wrt).argument == "other"

    def test_alone_it_is_refused_without_wrt_as_a_remedy(self):
        text = str(refused(lambda a: a.to_dense().sum(), (LAYOUTS["coo"](),)))
        assert "a: got a tensor of layout torch.sparse_coo" in text
        assert "wrt" not in text

    @pytest.mark.parametrize(
        ("inputs", "name"),
        [
            ({"p": {"x": X, "a": DENSE.to_sparse()}}, "p['a']"),
            ({"p": [X, (DENSE.to_sparse(), 1)]}, "p[1][0]"),
            ({"p": {"a": X}, "q": DENSE.to_sparse()}, "q"),
        ],
    )
    def test_nested(self, inputs, name):
        error = refused(lambda **inputs: X.sum(), inputs)
        assert error.argument == name

    def test_wrt_leaves_it_out_knowingly(self):
        result = check_gradients(lambda a, x: (a @ x).sum(), (DENSE.to_sparse(), X), wrt="x")
        assert result
        assert constants(result) == {"a": "excluded by wrt"}

    def test_requires_grad_leaves_it_out_knowingly(self):
        x = X.clone().requires_grad_()
        result = check_gradients(lambda a, x: (a @ x).sum(), (DENSE.to_sparse(), x))
        assert result
        assert constants(result) == {"a": "requires no gradient, next to a tensor that does"}

    def test_one_that_requires_a_gradient_is_refused(self):
        a, x = DENSE.to_sparse().requires_grad_(), X.clone().requires_grad_()
        assert refused(lambda a, x: torch.mv(a, x).sum(), (a, x)).argument == "a"

    def test_a_buffer_of_a_module_is_constant(self):
        class Graph(torch.nn.Module):
            def __init__(self):
                super().__init__()
                self.register_buffer("adjacency", DENSE.to_sparse())

            def forward(self, x):
                return (self.adjacency @ x).sum()

        assert check_gradients(Graph(), (X,))

    def test_of_integers_it_passes_through(self):
        result = check_gradients(total, (X, DENSE.long().to_sparse()))
        assert constants(result) == {"other": "dtype int64 is not differentiable"}

    def test_a_nested_tensor_is_refused(self):
        nested = torch.nested.nested_tensor([torch.ones(2), torch.ones(3)])
        assert "nested tensor" in str(refused(total, (X, nested)))


class TestNextToTensors:
    @pytest.mark.parametrize(
        "other",
        [
            np.ones(3),
            np.array(0.5),
            np.ones(3, dtype=np.float16),
            np.ones(2, dtype=np.complex64),
            np.ones((2, 2), dtype=np.float32),
        ],
        ids=lambda a: f"{a.dtype}{a.shape}",
    )
    def test_arrays_are_refused(self, other):
        text = str(refused(total, (X, other)))
        assert text == (
            "other: got a NumPy array next to torch tensors, which is not differentiated; make it one of the "
            "torch tensors, or leave it out: wrt=['x']"
        )
        assert check_gradients(total, (X, other), wrt="x")

    @pytest.mark.parametrize(
        "other", [0.5, 1e-5, 2j, math.inf, np.float32(2), np.float64(2), np.complex64(1)]
    )
    def test_numbers_are_constants_that_are_listed(self, other):
        result = check_gradients(total, (X, other))
        assert result
        assert constants(result)["other"].endswith(" next to tensors")

    @pytest.mark.parametrize("other", [0.5, 2j, np.float32(2)])
    @pytest.mark.parametrize("wrt", ["other", 1, [0, 1]])
    def test_a_number_that_wrt_names_is_refused(self, other, wrt):
        assert refused(total, (X, other), wrt=wrt).argument == "other"

    @pytest.mark.parametrize("other", [0.5, 2j, np.float32(2), np.float16(2)])
    def test_a_number_that_was_drawn_is_refused(self, other):
        with pytest.raises(
            InvalidArgument, match=r"draw it with tensors\(\(\)\), or leave it out: wrt=\['x'\]"
        ):
            check_in_test(total, {"x": X, "other": other}, drawn=True)
        assert check_in_test(total, {"x": X, "other": other}, drawn=True, wrt="x")

    def test_a_number_in_a_container_that_wrt_names_is_constant(self):
        result = check_gradients(lambda p: p["x"].sum() * p["eps"], ({"x": X, "eps": 0.5},), wrt="p")
        assert result
        assert "p['eps']" in constants(result)
        error = refused(lambda p: p["x"].sum() * p["eps"], ({"x": X, "eps": 0.5},), wrt="p['eps']")
        assert error.argument == "p['eps']"

    def test_the_remedy_names_leaves_where_an_argument_holds_both(self):
        error = refused(lambda p, y: y.sum(), ({"x": X, "a": np.ones(2)}, X))
        assert "wrt=[\"p['x']\", 'y']" in str(error)

    @pytest.mark.parametrize("other", [3, True, "sum", None, torch.arange(3), np.arange(3), [1, "a"]])
    def test_what_holds_no_floats_passes_through(self, other):
        assert check_in_test(total, {"x": X, "other": other}, drawn=True)


class TestOtherLibraries:
    @pytest.mark.parametrize("point", [X, X.numpy()], ids=["torch", "numpy"])
    @pytest.mark.parametrize("make", [scipy.sparse.csr_matrix, scipy.sparse.coo_array])
    def test_a_sparse_array_of_scipy_is_refused(self, point, make):
        a = make(DENSE.numpy())
        error = refused(total, (point, a))
        assert error.argument == "other"
        assert "of dtype float64 next to" in str(error)
        assert check_gradients(total, (point, a), wrt="x")

    def test_one_of_integers_passes_through(self):
        assert check_gradients(total, (X.numpy(), scipy.sparse.eye(3, dtype=int)))

    @pytest.mark.parametrize("other", [np.float64, np.dtype(float), np.finfo(float), object()])
    def test_what_is_no_array_passes_through(self, other):
        assert check_gradients(total, (X.numpy(), other))


def test_wrt_that_names_a_constant_is_refused():
    error = refused(lambda x, n: x * n, {"x": 2.0, "n": 3}, wrt=["x", "n"])
    assert str(error) == "wrt: got 'n', which is constant: n (an int is not differentiable); leave it out"
    x, y = X.clone().requires_grad_(), X.clone()
    assert "requires no gradient" in str(refused(lambda x, y: (x * y).sum(), (x, y), wrt=["x", "y"]))
