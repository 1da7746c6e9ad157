"""Wrong uses of the public functions, and the error of each: the wrong value, and what to write instead."""

from __future__ import annotations

import fnmatch
import math
import re
from typing import Any

import numpy as np
import pytest
import torch

from pytest_gradcheck import (
    InvalidArgument,
    arrays,
    assert_gradients,
    distinct,
    indices,
    orthogonal,
    positive_definite,
    probabilities,
    scalars,
    size,
    sorted_,
    tensors,
)
from pytest_gradcheck import check_gradients as check
from pytest_gradcheck.testing import corrupt


def square(x: Any) -> Any:
    return x * x


def two(a: Any, b: Any) -> Any:
    return (a * b).sum()


A, T = np.ones(2), torch.ones(2, dtype=torch.float64)

NAMES: dict[str, Any] = {
    **{f.__name__: f for f in (arrays, assert_gradients, distinct, indices, orthogonal, positive_definite)},
    **{f.__name__: f for f in (probabilities, scalars, size, sorted_, tensors, corrupt, square, two)},
    "check": check,
    "A": A,
    "T": T,
    "np": np,
    "torch": torch,
    "math": math,
}

#: A call, and below it its message, of which "*" stands for any part, and "…" for its end.
TABLE = r"""
check(square, A, eps=1e-6)
    eps: got an option that does not exist; steps are chosen automatically, and step= sets one
check(square, A, epsilon=1e-6)
    epsilon: got an option that does not exist; steps are chosen automatically, and step= sets one
check(square, A, atols=1e-6)
    atols: got an option that does not exist; did you mean atol?
check(square, A, rel_tol=1e-6)
    rel_tol: got an option that does not exist; did you mean rtol?
check(square, A, tol=1e-6)
    tol: got an option that does not exist; did you mean rtol?
check(square, A, fast_mode=True)
    fast_mode: got an option that does not exist; did you mean mode? mode='directional' is the fast
    one
check(square, A, nondet_tol=0.0)
    nondet_tol: got an option that does not exist; leave it out: a backward that differs from run to
    run fails
check(square, A, raise_exception=True)
    raise_exception: got an option that does not exist; leave it out: check_gradients returns a
    result, assert_gradients raises
check(square, A, grad=square)
    grad: got an option that does not exist; did you mean gradient?
check(square, A, gradeint=square)
    gradeint: got an option that does not exist; did you mean gradient?
check(square, A, method="central")
    method: got an option that does not exist; did you mean methods?
check(square, A, orders=2)
    orders: got an option that does not exist; did you mean order?
check(square, A, argnums=0)
    argnums: got an option that does not exist; did you mean wrt? it takes names or positions
check(square, A, modes="full")
    modes: got an option that does not exist; did you mean mode? mode='directional' is the fast one
check(square, A, methods="central")
    methods: got 'central'; give a tuple of method names
check(square, A, methods=())
    methods: got none; name some of central …
check(square, A, methods=("centrall",))
    methods: got 'centrall'; did you mean 'central'? the methods are …
check(square, A, methods=("numerical",))
    methods: got 'numerical'; the methods are …
check(square, A, methods=3)
    methods: got 3; give a tuple of method names
check(square, A, methods=("central", "user"))
    methods: got 'user' without a gradient; give gradient= or vjp= as well
check(square, A, methods=("central", "oracle"))
    methods: got 'oracle' without an oracle; give oracle= as well
check(square, A, methods=("central",), oracle=square)
    oracle: got an oracle and methods= without it; add 'oracle' to the methods
check(square, A, rtol=-1)
    rtol: got -1; a tolerance is a finite number, zero or more
check(square, A, rtol=math.nan)
    rtol: got nan; a tolerance is a finite number, zero or more
check(square, A, rtol="1e-3")
    rtol: got '1e-3'; a tolerance is a finite number, zero or more
check(square, A, rtol=True)
    rtol: got True; a tolerance is a finite number, zero or more
check(square, A, atol=math.inf)
    atol: got inf; a tolerance is a finite number, zero or more
check(square, A, sensitivity=0)
    sensitivity: got 0; give a relative error between 0 and 1, such as 1e-3
check(square, A, sensitivity=2)
    sensitivity: got 2; give a relative error between 0 and 1, such as 1e-3
check(square, A, order=0)
    order: got 0; 1 checks the gradient, 2 the gradient of the gradient too
check(square, A, order=True)
    order: got True; 1 checks the gradient, 2 the gradient of the gradient too
check(square, A, order="2")
    order: got '2'; 1 checks the gradient, 2 the gradient of the gradient too
check(square, A, mode="fast")
    mode: got 'fast'; the modes are …
check(square, A, step=0)
    step: got 0; a step is a finite number above zero, such as 1e-6
check(square, A, step=-1e-6)
    step: got -1e-06; a step is a finite number above zero, such as 1e-6
check(square, A, step="auto")
    step: got 'auto'; a step is a finite number above zero, such as 1e-6
check(square, A, seed=-1)
    seed: got -1; a seed is a whole number, zero or more
check(square, A, seed=0.5)
    seed: got 0.5; a seed is a whole number, zero or more
check(square, A, name=3)
    name: got 3; give a string
check(square, A, gradient=3)
    gradient: got 3; give a function of the inputs, or True if the function under check returns
    (value, gradient)
check(square, A, gradient="2 * x")
    gradient: got '2 * x'; give a function of the inputs, or True if the function under check
    returns (value, gradient)
check(square, A, vjp=A)
    vjp: got array([1., 1.]); give a function of the inputs and a cotangent
check(square, A, gradient=square, vjp=square)
    gradient: got shape (2,) for x; the right shape is (2, 2)
check(square, A, jacobian=A)
    jacobian: got array([1., 1.]); give a function of the inputs
check(square, A, jvp=3)
    jvp: got 3; give a function of the inputs and their tangents
check(square, A, hessian=True)
    hessian: got True; give a function of the inputs
check(square, A, hvp="2 * p")
    hvp: got '2 * p'; give a function of the inputs and their tangents
check(square, A, oracle=A)
    oracle: got array([1., 1.]); give a function of the same inputs that computes the same values
check(square, A, surrogate=1)
    surrogate: got 1; give a function of the same inputs whose derivative the gradient is to be
check(square, A, properties="vmap")
    properties: got 'vmap'; give a tuple of names: ('vmap',)
check(square, A, properties=("vmapp",))
    properties: got 'vmapp'; did you mean 'vmap'? …
check(square, A, properties=3)
    properties: got 3; give 'default', 'none' or a tuple of names
check(square, A, properties=("none", "vmap"))
    properties: got 'none' next to other names; leave out 'none', or the names
check(square, A, properties=("vmap", "-forward-mode"))
    properties: got 'vmap' next to '-forward-mode'; add 'default' for all but forward-mode, or drop
    '-forward-mode'
check(square, A, stop_gradients="yes")
    stop_gradients: got 'yes'; a stopped gradient is one of wrong, intended
check(square, A, stop_gradients="intended")
    stop_gradients: got 'intended' for a function of numpy arrays; it is supported for torch and JAX
    functions only
check(square, T, stop_gradients="intended", oracle=square)
    stop_gradients: got 'intended' with an oracle; leave one of the two out: an oracle stops nothing
check(square, T, stop_gradients="intended", surrogate=square)
    stop_gradients: got 'intended' with a surrogate; leave one of the two out: a surrogate already
    says which gradient is intended
check(square, A, wrt="y")
    wrt: got 'y'; name one of x, or give an argument's position
check(square, A, wrt=1)
    wrt: got 1; name one of x, or give an argument's position
check(square, A, wrt=1.5)
    wrt: got 1.5; name one of x, or give an argument's position
check(square, A, wrt=())
    inputs: got nothing to differentiate with respect to: x (excluded by wrt); give floats, or
    arrays of a floating dtype
check(two, (A, A), wrt=("a", "c"))
    wrt: got 'c'; name one of a, b, or give an argument's position
check(square, A, domain=3)
    domain: got 3; bounds are a pair (lower, upper)
check(square, A, domain=(3, 4))
    domain: got a point outside the bounds at x[0]; the point must lie inside
check(square, A, domain=(4, 3))
    domain: got (4, 3); the lower bound comes first
check(square, A, domain={"y": (0, 2)})
    domain: got the name 'y'; name one of x
check(square, A, domain=(0,))
    domain: got (0,); bounds are a pair (lower, upper)
check(square, 3)
    inputs: got nothing to differentiate with respect to: x (an int is not differentiable); give
    floats, or arrays of a floating dtype
check(square, np.arange(3))
    inputs: got nothing to differentiate with respect to: x (dtype int64 is not differentiable);
    give floats, or arrays of a floating dtype
check(square, "abc")
    inputs: got nothing to differentiate with respect to: x (a str is not differentiable); give
    floats, or arrays of a floating dtype
check(square, None)
    inputs: got nothing to differentiate with respect to: x (None is not differentiable); give
    floats, or arrays of a floating dtype
check(square, torch.arange(3))
    inputs: got nothing to differentiate with respect to: x (dtype int64 is not differentiable);
    give floats, or arrays of a floating dtype
check(square, np.zeros((0, 3)))
    inputs: got only empty arrays (x); draw at least one number
check(square, ())
    inputs: got none; give one array, a tuple or a dict of inputs
check(square, {})
    inputs: got none; give one array, a tuple or a dict of inputs
check(square, [])
    inputs: got nothing to differentiate with respect to: an empty container; give floats, or arrays
    of a floating dtype
check(square, {3: A})
    inputs: got the key 3; the keys name fn's arguments: strings
check(square, (A, A))
    inputs: got x, x1 for square(x) (square() takes 1 positional argument but 2 were given); a tuple
    is passed by position, a dict by name, anything else as the one argument
check(two, A)
    inputs: got a for two(a, b) (two() missing 1 required positional argument: 'b'); a tuple is
    passed by position, a dict by name, anything else as the one argument
check(two, {"a": A})
    inputs: got a for two(a, b) (two() missing 1 required positional argument: 'b'); a tuple is
    passed by position, a dict by name, anything else as the one argument
check(two, {"a": A, "c": A})
    inputs: got a, c for two(a, b) (two() got an unexpected keyword argument 'c'); a tuple is passed
    by position, a dict by name, anything else as the one argument
check(3, A)
    fn: got an int; give a function, a torch.nn.Module, another callable, or a
    linear operator with matvec and rmatvec
check("square", A)
    fn: got a str; give a function, a torch.nn.Module, another callable, or a
    linear operator with matvec and rmatvec
check(None, A)
    fn: got None; give a function, a torch.nn.Module, another callable, or a
    linear operator with matvec and rmatvec
check(square(A), A)
    fn: got a ndarray; give a function, a torch.nn.Module, another callable, or a
    linear operator with matvec and rmatvec
check(lambda x: None, A)
    fn: got a result that cannot be differentiated: None; a function under check returns a float or
    a floating array
check(lambda x: 3, A)
    fn: got a result that cannot be differentiated: an int has no derivative; a function under check
    returns a float or a floating array
check(lambda x: "text", A)
    fn: got a result that cannot be differentiated: a str has no derivative; a function under check
    returns a float or a floating array
check(lambda x: np.arange(3), A)
    fn: got a result that cannot be differentiated: dtype int64 has no derivative; a function under
    check returns a float or a floating array
check(lambda x: [], A)
    fn: got a result that cannot be differentiated: an empty container; a function under check
    returns a float or a floating array
check(torch.sin, A)
    inputs: got NumPy arrays for a function that calls torch (*); draw tensors(...) instead, or pass
    torch tensors
check(torch.sin, 0.5)
    inputs: got Python floats for a function that calls torch (*); draw tensors(...) instead, or
    pass torch tensors
check(lambda x, i: torch.gather(x, 0, i), (T, np.array([0, 1])))
    inputs: got a NumPy array for i next to torch tensors (*); draw it with library="torch", or pass
    torch tensors alone
check(two, (A, T))
    a: got a NumPy array next to torch tensors, which is not differentiated; make it one of the
    torch tensors, or leave it out: wrt=['b']
check(square, torch.ones(2, dtype=torch.float64).to_sparse())
    x: got a tensor of layout torch.sparse_coo, whose entries cannot be moved one by one; pass its
    values as a dense array and make it from them inside the function
check(square, A, gradient=lambda: A)
    gradient: got <lambda>(), but it is called with (input 0): too many arguments; accept them by these
    names, or in this order
check(square, A, gradient=lambda x, y: A)
    gradient: got <lambda>(x, y), but it is called with (input 0): missing a required argument: 'y';
    accept them by these names, or in this order
check(square, A, gradient=lambda x: np.ones(3))
    gradient: got shape (3,) for x; the right shape is (2, 2)
check(square, A, gradient=lambda x: 1j * np.eye(2))
    gradient: got complex128 for x, which is real; return the real part
check(square, A, gradient=lambda x: None)
    gradient: got None for x; return zeros of shape (2,), or leave it out by wrt=
check(square, A, gradient=lambda x: "2x")
    gradient: got shape () for x; the right shape is (2, 2)
check(two, (A, A), gradient=lambda a, b: b)
    gradient: got ndarray from it; return one array per input: a, b
check(two, (A, A), gradient=lambda a, b: (b, None))
    gradient: got None for b; return zeros of shape (2,), or leave it out by wrt=
check(lambda x: 1j * x, A, gradient=lambda x: 1j * np.eye(2))
    gradient: got complex128 for x, which is real; the output is complex: give vjp= instead
check(lambda x: (x, x), A, gradient=lambda x: np.eye(2))
    gradient: got a function with 2 outputs; give vjp= instead
check(square, A, vjp=lambda x: x)
    vjp: got <lambda>(x), but it is called with (input 0, cotangent): too many arguments; accept them by
    these names, or in this order
check(square, A, vjp=lambda x, g: np.ones(3))
    vjp: got shape (3,) for x; the right shape is (2,)
check(square, A, oracle=lambda: A)
    oracle: got <lambda>(), but it is called with (input 0): too many arguments; accept them by these names,
    or in this order
check(square, A, surrogate=lambda x: np.ones(5))
    surrogate: got <lambda>, which returns one output of shape (5,) where the function returns one
    output of shape (2,); return the same outputs
arrays("n, k")
    shape: got the size 'n,'; use whole numbers, names, or sums and products of them
arrays(-1)
    shape: got -1; no side can be negative
arrays(2.5)
    shape: got 2.5; give an int, a tuple of ints, names such as "n k", or a strategy for tuples of
    ints
arrays((2, "a b"))
    shape: got (2, 'a b'); give an int, a tuple of ints, names such as "n k", or a strategy for
    tuples of ints
arrays(3, dtype="int64")
    dtype: got 'int64'; gradients need a floating dtype; use one of float …
arrays(3, dtype=None)
    dtype: got None; use one of float …
arrays(3, dtype=torch.float32)
    dtype: got torch.float32 for library="numpy"; add library="torch", or give the dtype by its name
arrays(3, min_value=2, max_value=1)
    min_value: got 2 above max_value=1; swap them, or drop one
arrays(3, min_value="0")
    min_value: got '0'; give a real number, or None for no bound
arrays(3, min_value=math.nan)
    min_value: got nan; give a finite number, or None for no bound
arrays(3, library="tensorflow")
    library: got 'tensorflow'; use one of numpy …
arrays(3, layout="sideways")
    layout: got 'sideways'; use one of contig …
arrays(3, special="zeros")
    special: got 'zeros'; give True, False, or some of zeros …
arrays(3, elements=3)
    elements: got 3; give a strategy for single entries
tensors(3, dtype="complex32")
    dtype: got 'complex32'; use one of float …
tensors(3, device=3)
    device: got 3; give a torch device or its name, such as "cuda"
tensors(3, requires_grad=1)
    requires_grad: got 1; give True or False
scalars(min_value=2, max_value=1)
    min_value: got 2 above max_value=1; swap them, or drop one
scalars(library="keras")
    library: got 'keras'; use one of numpy …
indices(3, into=0)
    into: got 0; give an int from 1 to 65,536, or size("n")
indices(3, into="n")
    into: got 'n'; give an int from 1 to 65,536, or size("n")
positive_definite(3, dtype="complex128")
    dtype: got 'complex128'; use one of float …
positive_definite(3, dtype=torch.float64)
    dtype: got torch.float64 for library="numpy"; add library="torch", or give the dtype by its name
positive_definite(3, condition=0.5)
    condition: got 0.5; give a finite number, one or more
orthogonal(3, library="torchh")
    library: got 'torchh'; use one of numpy …
probabilities(3, min_value=0.6)
    min_value: got 0.6 for 3 entries; give at most 0.333
distinct(3, gap=-1.0)
    gap: got -1.0; give a finite number above zero, or None
size(3)
    name: got 3; give a name, such as "k"
corrupt(square, "wrong")
    fault: got 'wrong'; the faults are …
corrupt(3, "sign")
    fn: got 3; give a function
check(square, A, argnums=(0, 1))
    argnums: got an option that does not exist; did you mean wrt? it takes names or positions
check(square, A, jac=square)
    jac: got an option that does not exist; did you mean jacobian, or gradient for a scalar?
    gradient=True is jac=True of scipy.optimize
check(square, A, hessp=square)
    hessp: got an option that does not exist; did you mean hvp?
check(square, A, hess=square)
    hess: got an option that does not exist; did you mean hessian?
check(square, A, jacobain=square)
    jacobain: got an option that does not exist; did you mean jacobian?
assert_gradients(square, A, atol=-1)
    atol: got -1; a tolerance is a finite number, zero or more
assert_gradients(square, A, esp=1e-6)
    esp: got an option that does not exist; steps are chosen automatically, and step= sets one
check(square, {"y": A})
    inputs: got y for square(x) (square() got an unexpected keyword argument 'y'); a tuple is passed
    by position, a dict by name, anything else as the one argument
check(square, A, domain=(2, math.nan))
    domain: got a point outside the bounds at x[0]; the point must lie inside
check(two, (A, A), domain=(0, 2))
    domain: got (0, 2) for 2 inputs; give a dict by name: a, b
check(two, (A, A), wrt=["c"])
    wrt: got 'c'; name one of a, b, or give an argument's position
check(square, A, methods=["centra"])
    methods: got 'centra'; did you mean 'central'? the methods are …
arrays(3, min_value=True)
    min_value: got True; give a real number, or None for no bound
arrays(3, special=["zero"])
    special: got 'zero'; give True, False, or some of zeros …
tensors((2, -3))
    shape: got (2, -3); no side can be negative
distinct(3, min_value=0, max_value=0)
    shape: got 3 entries in [0.0, 0.0]; take a smaller shape or gap, wider bounds or a finer dtype
sorted_(3, gap=math.inf)
    gap: got inf; give a finite number above zero, or None
"""


def rows() -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for line in TABLE.strip().splitlines():
        if line.startswith("    "):
            call, message = found[-1]
            found[-1] = call, f"{message} {line.strip()}".strip()
        else:
            found.append((line, ""))
    return found


@pytest.mark.parametrize(("call", "message"), rows(), ids=[call for call, _ in rows()])
def test_a_wrong_use_says_what_to_write_instead(call: str, message: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        eval(call, NAMES)
    said = str(caught.value)
    if message.endswith(" …"):
        said, message = said[: len(message) - 2], message[:-2]
    pattern = re.sub(r"([\[\]?])", r"[\1]", message)
    assert fnmatch.fnmatchcase(said, pattern), str(caught.value)
    # The argument, what was got, and a remedy.
    assert re.match(r"[a-z_]+: got .+; .+", str(caught.value))


def test_there_are_many_and_none_twice() -> None:
    calls = [call for call, _ in rows()]
    assert len(calls) == len(set(calls)) >= 120
