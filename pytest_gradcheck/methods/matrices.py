"""Hand-written matrices of derivatives as maps of flat vectors: dense, sparse, or linear operators.

Sparse matrices and operators are recognised by their methods, without importing a library. Only their
products are used.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from pytest_gradcheck.errors import InvalidArgument
from pytest_gradcheck.frameworks.flat import Layout, Leaf, Matrix
from pytest_gradcheck.frameworks.leaves import to_numpy
from pytest_gradcheck.methods.forms import Broken

#: Returns cotangents times a block: from shape ``(rows, out.size)`` to ``(rows, leaf.size)``.
Product = Callable[[Matrix], Matrix]


class Blocks:
    """The blocks of a Jacobian, by output and input: ``cotangents @ blocks`` pulls cotangents back."""

    #: Makes NumPy leave ``@`` to this class.
    __array_ufunc__ = None

    def __init__(
        self, argument: str, parts: Sequence[Sequence[Any]], outputs: Layout, inputs: Layout
    ) -> None:
        self._blocks = [
            (out, leaf, _product(argument, part, out, leaf))
            for out, row in zip(outputs.leaves, parts, strict=True)
            for leaf, part in zip(inputs.leaves, row, strict=True)
        ]
        self._size = inputs.size

    def __rmatmul__(self, cotangents: Any) -> Any:
        """Return cotangents, shape ``(…, m)``, times the Jacobian, shape ``(…, n)``."""
        rows = np.atleast_2d(cotangents)
        found = np.zeros((len(rows), self._size))
        for out, leaf, product in self._blocks:
            found[:, leaf.start : leaf.stop] += product(rows[:, out.start : out.stop])
        return found.reshape(*np.shape(cotangents)[:-1], self._size)


def is_matrix(part: Any) -> bool:
    """Whether a value is a sparse matrix or a linear operator."""
    return _is_sparse(part) or hasattr(part, "matvec")


def _is_sparse(part: Any) -> bool:
    return hasattr(part, "tocoo") and hasattr(part, "shape")


def _product(argument: str, part: Any, out: Leaf, leaf: Leaf) -> Product:
    if part is None:
        raise InvalidArgument(argument, f"None for {leaf.name}", "return zeros, or leave it out by wrt=")
    if is_matrix(part):
        return _of_products(argument, part, out, leaf)
    matrix = _dense(argument, np.asarray(to_numpy(part)), out, leaf)
    return lambda rows: np.asarray(rows @ matrix)


def _dense(argument: str, array: Any, out: Leaf, leaf: Leaf) -> Matrix:
    """Return a block as a real matrix of shape ``(out.size, leaf.size)``.

    Between complex numbers a block is the complex derivative. Of a real function of complex numbers it is
    dL/dRe + i dL/dIm, as autograd writes a gradient.
    """
    _must_fit(argument, array.shape, out, leaf)
    if array.dtype.kind == "O":
        raise InvalidArgument(argument, f"an array of objects for {leaf.name}", "return an array of numbers")
    flat = array.reshape(_count(out), _count(leaf))
    if not out.is_complex and not leaf.is_complex:
        if np.iscomplexobj(flat):
            raise InvalidArgument(
                argument, f"{flat.dtype} for {leaf.name}, which is real", "return the real part"
            )
        return np.asarray(flat, float)
    flat = np.ascontiguousarray(flat, complex)
    if not out.is_complex:
        return flat.view(float)
    if not leaf.is_complex:
        return np.stack([flat.real, flat.imag], axis=1).reshape(out.size, leaf.size)
    real = np.empty((_count(out), 2, _count(leaf), 2))
    real[:, 0, :, 0] = real[:, 1, :, 1] = flat.real
    real[:, 1, :, 0], real[:, 0, :, 1] = flat.imag, -flat.imag
    return real.reshape(out.size, leaf.size)


def _of_products(argument: str, part: Any, out: Leaf, leaf: Leaf) -> Product:
    """Return the products with a sparse matrix or an operator, which is never made dense."""
    wanted = _count(out), _count(leaf)
    if tuple(part.shape) != wanted:
        if tuple(part.shape) == wanted[::-1]:
            raise Broken("transposed", _turned(leaf, tuple(part.shape), wanted))
        raise _wrong_shape(argument, leaf, tuple(part.shape), wanted)
    if leaf.is_complex and not out.is_complex:
        raise InvalidArgument(
            argument, f"a {type(part).__name__} for a real output of complex numbers", "give vjp= instead"
        )
    if _is_sparse(part):
        adjoint = part.conj().T

        def product(columns: Any) -> Any:
            return adjoint @ columns
    else:

        def product(columns: Any) -> Any:
            return np.stack([np.ravel(part.rmatvec(column)) for column in columns.T], axis=1)

    def multiplied(rows: Matrix) -> Matrix:
        columns = np.ascontiguousarray(rows).view(complex) if out.is_complex else rows
        try:
            found = np.asarray(to_numpy(product(columns.T))).T
        except NotImplementedError:
            raise InvalidArgument(
                argument, f"a {type(part).__name__} without rmatvec", "define rmatvec, or give jvp= instead"
            ) from None
        if leaf.is_complex:
            return np.ascontiguousarray(found, complex).view(float)
        return np.asarray(found.real, float)

    return multiplied


def _must_fit(argument: str, shape: tuple[int, ...], out: Leaf, leaf: Leaf) -> None:
    wanted = out.shape + leaf.shape
    if shape == wanted:
        return
    if shape == leaf.shape + out.shape:
        raise Broken("transposed", _turned(leaf, shape, wanted))
    raise _wrong_shape(argument, leaf, shape, wanted)


def _turned(leaf: Leaf, shape: tuple[int, ...], wanted: tuple[int, ...]) -> str:
    return f"the Jacobian for {leaf.name} is transposed: its shape is {shape}, and the right one is {wanted}"


def _wrong_shape(argument: str, leaf: Leaf, got: tuple[int, ...], wanted: tuple[int, ...]) -> InvalidArgument:
    return InvalidArgument(argument, f"shape {got} for {leaf.name}", f"the right shape is {wanted}")


def _count(leaf: Leaf) -> int:
    """Return how many numbers a leaf has, complex ones counted once."""
    return leaf.size // 2 if leaf.is_complex else leaf.size
