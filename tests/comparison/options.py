"""Checks of every option and of every kind of input: a table of functions, inputs and options."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import torch

__all__ = ["Case", "cases"]


class Case(NamedTuple):
    """One check: a name, the function, its inputs and the options."""

    name: str
    function: Any
    inputs: Any
    options: dict[str, Any]


X = np.array([0.3, 0.7])
ROWS = np.array([[0.3, -1.2, 0.8], [1.5, 0.1, -0.4]])
COMPLEX = np.array([0.3 + 0.2j, -1.2 - 0.7j])
T = torch.tensor([[0.3, -1.2, 0.8], [1.5, 0.1, -0.4]], dtype=torch.float64)


class WrongSine(torch.autograd.Function):
    """The sine with a backward that is one percent off."""

    @staticmethod
    def forward(ctx: Any, x: Any) -> Any:
        ctx.save_for_backward(x)
        return x.sin()

    @staticmethod
    def backward(ctx: Any, g: Any) -> Any:
        return 1.01 * g * ctx.saved_tensors[0].cos()


def product(x: Any, y: Any) -> Any:
    return x * y + x**2


def of_dict(x: Any, params: Any) -> Any:
    return (x @ params["weight"] + params["bias"][0]).sum()


def stopped(x: Any) -> Any:
    return x * x.detach()


def quadratic(x: Any) -> Any:
    return (x**2).sum()


def two_outputs(x: Any) -> Any:
    return {"sine": np.sin(x), "count": len(x), "parts": (np.exp(x), x.sum())}


def raising(x: Any) -> Any:
    raise RuntimeError("no value here")


def module() -> torch.nn.Module:
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Tanh(), torch.nn.Linear(4, 1)).double()


def drops(x: Any) -> Any:
    return torch.nn.functional.dropout(x, 0.5) ** 2


def cases() -> Iterator[Case]:
    """Every check, by what varies: the methods, the order, what is differentiated, how it is measured."""
    yield from _methods()
    yield from _orders()
    yield from _inputs()
    yield from _numbers()
    yield from _modes()
    yield from _wrong_uses()


def _methods() -> Iterator[Case]:
    everything = ("central", "forward", "complex_step", "reference", "torch")
    for name in everything:
        yield Case(f"methods: {name} alone", np.sin, X, {"methods": (name,)})
    for names in (
        everything,
        ("central", "reference"),
        ("central", "torch"),
        ("reference", "torch"),
        ("central", "forward"),
        ("complex_step", "central"),
    ):
        yield Case(f"methods: {', '.join(names)}", np.sin, X, {"methods": names})
        yield Case(f"methods of torch code: {', '.join(names)}", torch.sin, T, {"methods": names})
        yield Case(f"methods of a wrong backward: {', '.join(names)}", WrongSine.apply, T, {"methods": names})
    yield Case("gradient: right", quadratic, X, {"gradient": lambda x: 2 * x})
    yield Case("gradient: wrong", quadratic, X, {"gradient": lambda x: 2.02 * x})
    yield Case("gradient: of another shape", quadratic, X, {"gradient": lambda x: 2 * x[:1]})
    yield Case("gradient: raises", quadratic, X, {"gradient": raising})
    yield Case("gradient: one of two", product, (X, X + 1), {"gradient": lambda x, y: (y + 2 * x, 0 * x)})
    yield Case("gradient: of torch code", lambda x: (x**2).sum(), T, {"gradient": lambda x: 2 * x})
    yield Case("vjp: right", product, (X, X + 1), {"vjp": lambda x, y, c: (c * (y + 2 * x), c * x)})
    yield Case("vjp: wrong", np.sin, ROWS, {"vjp": lambda x, c: c * np.sin(x)})


def _orders() -> Iterator[Case]:
    yield Case("order 2: NumPy", np.sin, X, {"order": 2})
    yield Case("order 2: torch", torch.sin, T, {"order": 2})
    yield Case("order 2: first wrong", WrongSine.apply, T, {"order": 2})
    yield Case("order 2: a gradient by hand", quadratic, X, {"order": 2, "gradient": lambda x: 2 * x})
    yield Case("order 2: float32", torch.exp, T.float(), {"order": 2})
    yield Case("order 2: directional", torch.exp, T, {"order": 2, "mode": "directional"})
    yield Case("order 2: at a kink", np.abs, np.array([0.0, 1.0]), {"order": 2})
    yield Case("order 2: piecewise linear", torch.relu, T, {"order": 2})


def _inputs() -> Iterator[Case]:
    yield Case("a Python function of floats", lambda x: x**3 - 2 * x, 0.7, {})
    yield Case("a tuple", product, (X, X + 1), {})
    yield Case("a dict", product, {"x": X, "y": X + 1}, {})
    yield Case("wrt: by name", product, {"x": X, "y": X + 1}, {"wrt": "y"})
    yield Case("wrt: by position", product, (X, X + 1), {"wrt": 0})
    yield Case("wrt: several", product, (T, T + 1), {"wrt": ("x", "y")})
    yield Case("integers pass through", lambda x, n: x**n, (X, 3), {})
    nested = {"weight": ROWS.T, "bias": [np.array(0.5)]}
    yield Case("nested containers", of_dict, (ROWS, nested), {})
    nested_tensors = {"weight": T.T.contiguous(), "bias": [torch.tensor(0.5, dtype=torch.float64)]}
    yield Case("nested containers of tensors", of_dict, (T, nested_tensors), {})
    yield Case("nested outputs", two_outputs, X, {})
    yield Case("a module", lambda model, x: model(x), (module(), T), {})
    yield Case("a module, wrt its parameters", lambda model, x: model(x), (module(), T), {"wrt": 0})
    yield Case("a module of float32", lambda m, x: m(x), (module().float(), T.float()), {})
    yield Case("complex NumPy code", lambda z: z * z, COMPLEX, {})
    yield Case("complex to real", np.abs, COMPLEX, {})
    yield Case("complex torch code", lambda z: (z * z.conj()).real, torch.from_numpy(COMPLEX), {})
    yield Case("real to complex", lambda x: np.exp(1j * x), X, {})
    yield Case("no numbers", np.sin, np.zeros(0), {})
    yield Case("not contiguous", torch.sin, T.T[1:], {})
    yield Case("an expanded tensor", torch.sin, T[:1].expand(3, 3), {})
    yield Case("random numbers", drops, T, {})
    yield Case("random numbers, seeded", drops, T, {"seed": 5})
    yield Case("integers alone", np.sin, np.array([1, 2]), {})
    yield Case("a constant", lambda x: 1.0, X, {})
    yield Case("not finite", np.log, np.array([-1.0, 2.0]), {})
    yield Case("raises", raising, X, {})
    yield Case("a name", np.sin, X, {"name": "a sine"})


def _numbers() -> Iterator[Case]:
    for dtype in (np.float32, np.float16, np.longdouble):
        yield Case(f"NumPy in {np.dtype(dtype).name}", np.sin, ROWS.astype(dtype), {})
    for kind in (torch.float32, torch.float16, torch.bfloat16):
        yield Case(f"torch in {kind}", torch.sin, T.to(kind), {})
        yield Case(f"a wrong backward in {kind}", WrongSine.apply, T.to(kind), {})
    yield Case("domain", np.log, np.array([1e-9, 0.5]), {"domain": (0.0, 1.0)})
    yield Case("domain: at its bound", np.sqrt, np.array([1.0, 0.5]), {"domain": (0.0, 1.0)})
    yield Case("domain: by name", product, {"x": X, "y": X}, {"domain": {"x": (0.3, 2.0)}})
    yield Case("domain: of torch code", torch.log, T.abs(), {"domain": (0.0, None)})
    yield Case("step", np.sin, X, {"step": 1e-4})
    yield Case("step: too large", np.sin, X, {"step": 0.5})
    yield Case("step: of torch code", torch.exp, T, {"step": 1e-5})
    yield Case("rtol", WrongSine.apply, T, {"rtol": 0.05})
    yield Case("rtol: too small", WrongSine.apply, T, {"rtol": 1e-3})
    yield Case("atol", WrongSine.apply, T, {"atol": 0.1})
    yield Case("sensitivity", WrongSine.apply, T, {"sensitivity": 0.1})
    yield Case("sensitivity: cannot be kept", torch.sin, T.float(), {"sensitivity": 1e-9})
    yield Case("a kink", np.abs, np.array([0.0, 0.5]), {})
    yield Case("a kink of torch code", torch.relu, T * 0, {})
    yield Case("a jump", np.floor, np.array([1.0, 0.5]), {})
    yield Case("a singularity", np.cbrt, np.array([0.0, 0.5]), {})


def _modes() -> Iterator[Case]:
    for size in (8, 200):
        large = torch.linspace(-2, 2, size, dtype=torch.float64)
        for mode in ("auto", "full", "directional"):
            for what, fn in (("right", torch.tanh), ("wrong", WrongSine.apply)):
                yield Case(f"mode {mode}: {what}, {size} numbers", fn, large, {"mode": mode})
    for seed in (0, 1, 2):
        options = {"mode": "directional", "seed": seed}
        yield Case(f"mode directional: seed {seed}", WrongSine.apply, T, options)
    yield Case("stop_gradients: wrong", stopped, T, {})
    yield Case("stop_gradients: intended", stopped, T, {"stop_gradients": "intended"})
    yield Case("stop_gradients: intended, order 2", stopped, T, {"stop_gradients": "intended", "order": 2})
    yield Case("stop_gradients: of NumPy code", np.sin, X, {"stop_gradients": "intended"})


def _wrong_uses() -> Iterator[Case]:
    wrong: dict[str, Any] = {
        "methods": ("centre",),
        "gradient": 3,
        "vjp": 3,
        "order": 3,
        "wrt": "z",
        "rtol": -1.0,
        "atol": float("nan"),
        "sensitivity": 0.0,
        "mode": "fast",
        "domain": (1.0, 0.0),
        "step": 0.0,
        "stop_gradients": "yes",
        "seed": "one",
        "name": 3,
    }
    for name, value in wrong.items():
        yield Case(f"wrong use: {name}={value!r}", np.sin, X, {name: value})
    yield Case("wrong use: both gradients", quadratic, X, {"gradient": np.sin, "vjp": product})
    yield Case("wrong use: no function", 3, X, {})
    yield Case("wrong use: no input to differentiate", np.sin, "x", {})
