"""The reference engine next to HIPS autograd, torch and micrograd.

Every contestant computes the same gradient of the same function; the tests compare them at tiny sizes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any

import autograd
import autograd.numpy as hips_numpy
import autograd.scipy.special as hips_special
import numpy as np
import scipy.special
import torch
from micrograd.engine import Value

from reference_engine import Tensor, value_and_grad
from reference_engine.scipy import special
from tests.benchmarks import memory, timing
from tests.benchmarks.tables import Aim, Ratio, Table, figures

PACKAGES = ("numpy", "scipy", "autograd", "torch", "micrograd")
ENGINE, HIPS, TORCH, MICROGRAD = "reference_engine", "HIPS autograd", "torch", "micrograd"
FORWARD = "forward"


@dataclass(frozen=True)
class Contest:
    """One function: who takes its value and gradient, and who its value alone."""

    gradients: Mapping[str, Callable[[], Any]]
    forwards: Mapping[str, Callable[[], Any]]

    def best(self, rounds: int) -> tuple[dict[str, float], dict[str, float]]:
        """Seconds for value and gradient, and for the value alone."""
        value = {(FORWARD, name): run for name, run in self.forwards.items()}
        pulled = {("gradient", name): run for name, run in self.gradients.items()}
        seconds = timing.best({**value, **pulled}, rounds)
        return (
            {name: seconds["gradient", name] for name in self.gradients},
            {name: seconds[FORWARD, name] for name in self.forwards},
        )


def contest(
    f: Callable[..., Any],
    args: Sequence[Any],
    numpys: Sequence[Any] = (np, hips_numpy, torch),
) -> Contest:
    """`f(library, *args)` on the engine, on HIPS autograd and on torch, each with its own of `numpys`.

    The first of them serves plain arrays too.
    """
    plain, hips, of_torch = numpys
    argnums = tuple(range(len(args)))
    leaves = [torch.tensor(arg, requires_grad=True) for arg in args]

    def torch_gradient() -> Any:
        return torch.autograd.grad(f(of_torch, *leaves), leaves)

    def torch_value() -> Any:
        with torch.no_grad():
            return f(of_torch, *leaves)

    engine_run = value_and_grad(partial(f, plain), argnums=argnums)
    hips_run = autograd.value_and_grad(partial(f, hips), argnum=argnums)
    return Contest(
        {
            ENGINE: lambda: engine_run(*args)[1],
            HIPS: lambda: hips_run(*args)[1],
            TORCH: torch_gradient,
        },
        {"NumPy": lambda: f(plain, *args), TORCH: torch_value},
    )


def chain(operations: int, library: Any, x: Any) -> Any:
    """Operations in a row on a small array or a number."""
    h = x
    for _ in range(operations // 4):
        h = (library.sin(h) * x + 0.5) / 1.5
    return library.sum(h)


def scalar_graph(leaves: Sequence[Any], operations: int) -> Any:
    """A loss made of numbers one by one, summed in pairs: micrograd recurses, and bears no long chain."""
    n = len(leaves)
    terms = [
        (leaves[i % n] * leaves[(7 * i + 1) % n] + leaves[(3 * i + 2) % n]) ** 2
        for i in range(operations // 4)
    ]
    while len(terms) > 1:
        odd = terms[len(terms) // 2 * 2 :]
        terms = [a + b for a, b in zip(terms[::2], terms[1::2], strict=False)] + odd
    return terms[0]


def scalar_contest(operations: int) -> Contest:
    """`scalar_graph` on everything that has numbers with a gradient."""
    numbers = np.random.default_rng(0).uniform(-0.5, 0.5, 100).tolist()

    def gradient(leaf: Callable[[float], Any]) -> list[Any]:
        leaves = [leaf(number) for number in numbers]
        scalar_graph(leaves, operations).backward()
        return [x.grad for x in leaves]

    def hips_gradient() -> list[Any]:
        # A list of its own, because to take an entry of the boxed one costs as much as the whole list.
        return autograd.grad(lambda leaves: scalar_graph([*leaves], operations))(numbers)

    return Contest(
        {
            ENGINE: lambda: gradient(partial(Tensor, requires_grad=True)),
            MICROGRAD: lambda: gradient(Value),
            HIPS: hips_gradient,
            TORCH: lambda: gradient(partial(torch.tensor, dtype=torch.float64, requires_grad=True)),
        },
        {"Python floats": lambda: scalar_graph(numbers, operations)},
    )


def mlp(targets: Any, inputs: Any, library: Any, *parameters: Any) -> Any:
    """The mean squared error of a network with tanh between its layers."""
    if library is torch:
        targets, inputs = torch.from_numpy(targets), torch.from_numpy(inputs)
    h = inputs
    for i in range(0, len(parameters), 2):
        h = (library.tanh(h) if i else h) @ parameters[i] + parameters[i + 1]
    return library.mean((h - targets) ** 2)


def mlp_contest(batch: int, sizes: Sequence[int]) -> Contest:
    """The gradient with respect to all weights and biases."""
    random = np.random.default_rng(0)
    parameters: list[Any] = []
    for a, b in pairwise(sizes):
        parameters += [random.normal(size=(a, b)) / np.sqrt(a), random.normal(size=b)]
    f = partial(mlp, random.normal(size=(batch, sizes[-1])), random.normal(size=(batch, sizes[0])))
    return contest(f, parameters)


def logsumexp(library: Any, x: Any) -> Any:
    """By hand, as NumPy code has it."""
    largest = library.max(x)
    return library.log(library.sum(library.exp(x - largest))) + largest


def logsumexp_contests(entries: int) -> dict[str, Contest]:
    """Written by hand, and the library's own."""
    x = np.random.default_rng(0).normal(size=entries)

    def of_library(library: Any, x: Any) -> Any:
        return library.logsumexp(x, 0) if library is torch else library.logsumexp(x)

    own = contest(of_library, [x], (special, hips_special, torch))
    scipys = {**own.forwards, "NumPy": lambda: scipy.special.logsumexp(x)}
    return {
        "by hand": contest(logsumexp, [x]),
        "the library's": Contest(own.gradients, scipys),
    }


def overhead(quick: bool) -> Table:
    """What an operation costs where the arrays are so small that nothing else does."""
    operations, rounds = (40, 1) if quick else (10_000, 9)
    rows, aims = [], []
    over: dict[str, list[float]] = {HIPS: [], TORCH: []}
    for name, x in SMALL.items():
        gradients, forwards = contest(partial(chain, operations), [x]).best(rounds)
        seconds = {**gradients, "NumPy, forward": forwards["NumPy"], "torch, forward": forwards[TORCH]}
        for contestant, s in seconds.items():
            rows.append(
                [
                    f"{name}, {contestant}",
                    *figures(s / operations * 1e6, s / gradients[HIPS], s / forwards["NumPy"]),
                ]
            )
        for peer, found in over.items():
            found.append(gradients[ENGINE] / gradients[peer])
        aims.append(Aim(f"{name}, of HIPS autograd's time", 1 / 3, gradients[ENGINE] / gradients[HIPS]))
    return Table(
        "Overhead per operation",
        f"Value and gradient of {operations:,} operations in a row, `h = (np.sin(h) * x + 0.5) / 1.5`, "
        "on an array of three numbers and on a single number.",
        ["", "µs per operation", "of HIPS autograd", "of NumPy's forward"],
        rows,
        aims,
        [Ratio(f"an operation of the engine on a small array, over {peer}", over[peer]) for peer in over],
    )


SMALL: dict[str, Any] = {"array of 3": np.array([0.3, -0.7, 1.1]), "number": np.float64(0.3)}


def scalars(quick: bool) -> Table:
    """The learner's graph: numbers, not arrays."""
    operations, rounds = (400, 1) if quick else (10_000, 9)
    gradients, forwards = scalar_contest(operations).best(rounds)
    seconds = {**gradients, "Python floats, forward": forwards["Python floats"]}
    return Table(
        "A graph of numbers",
        f"Forward and backward through {operations:,} additions, products and squares of 100 numbers, "
        "micrograd's own kind of graph. It is summed in pairs, because micrograd recurses.",
        ["", "µs per operation", "of micrograd"],
        [[name, *figures(s / operations * 1e6, s / gradients[MICROGRAD])] for name, s in seconds.items()],
        [Aim("of micrograd's time", 1, gradients[ENGINE] / gradients[MICROGRAD])],
        [
            Ratio(f"an operation of the engine on a number, over {who}", [gradients[ENGINE] / gradients[who]])
            for who in (MICROGRAD, HIPS, TORCH)
        ],
    )


def ratios(quick: bool) -> Table:
    """What the gradient costs where the arrays are large."""
    batch, sizes, entries, rounds = (2, (3, 4, 2), 50, 1) if quick else (128, (128, 256, 256, 10), 10**6, 15)
    contests = {
        f"MLP {'×'.join(map(str, sizes))}, batch {batch}": mlp_contest(batch, sizes),
        **{f"logsumexp {name}, {entries:,} entries": c for name, c in logsumexp_contests(entries).items()},
    }
    rows, aims = [], []
    over: dict[str, list[float]] = {HIPS: [], TORCH: []}
    for name, each in contests.items():
        gradients, forwards = each.best(rounds)
        for peer, found in over.items():
            found.append(gradients[ENGINE] / gradients[peer])
        for contestant, s in gradients.items():
            forward = forwards[TORCH if contestant == TORCH else "NumPy"]
            rows.append([f"{name}, {contestant}", *figures(forward * 1e3, s * 1e3, s / forward)])
        aims.append(Aim(f"{name}, gradient to forward", 3, gradients[ENGINE] / forwards["NumPy"]))
    return Table(
        "Gradient to forward",
        "The time of value and gradient, over that of the same function on plain arrays (of torch's without "
        "a graph, for torch), in float64.",
        ["", "forward, ms", "value and gradient, ms", "ratio"],
        rows,
        aims,
        [Ratio(f"a gradient of the engine on large arrays, over {peer}", over[peer]) for peer in over],
    )


def long_chain(nodes: int) -> tuple[Tensor, Tensor]:
    """A leaf, and a result that is that many nodes away from it."""
    x = Tensor([0.3, -0.7, 1.1], requires_grad=True)
    h = x
    for _ in range(nodes // 4):
        h = (np.sin(h) * x + 0.5) / 1.5
    return x, h


def pull(h: Tensor, retain_graph: bool) -> None:
    """The backward pass."""
    h.backward(np.ones(3), retain_graph=retain_graph)


def size_in_memory(nodes: int) -> dict[str, float]:
    """Bytes per node: of the graph, on top of it at the pass's highest point, and what is left afterwards."""
    with memory.traced():
        (_x, h), graph, _ = memory.growth(partial(long_chain, nodes))
        _, kept, peak_retained = memory.growth(partial(pull, h, True))
        _, freed, peak_freed = memory.growth(partial(pull, h, False))
    found = {"graph": graph, "retained": peak_retained, "freed": peak_freed, "left": graph + kept + freed}
    return {name: size / nodes for name, size in found.items()}


def size(quick: bool) -> Table:
    """Whether time and memory per node stay what they are as the graph grows."""
    sizes = [200, 400] if quick else [100_000, 200_000, 500_000, 1_000_000]
    rounds = 1 if quick else 3

    def build_and_free(nodes: int) -> None:
        long_chain(nodes)

    def build_pull_and_free(nodes: int, retain_graph: bool) -> None:
        _, h = long_chain(nodes)
        pull(h, retain_graph)

    contestants: dict[tuple[int, str], Callable[[], object]] = {}
    for n in sizes:
        contestants[n, "build"] = partial(build_and_free, n)
        contestants[n, "pull"] = partial(build_pull_and_free, n, False)
    seconds = timing.best(contestants, rounds)
    rows, whole, peaks = [], [], []
    for n in sizes:
        used = size_in_memory(n)
        whole.append(seconds[n, "pull"] / n)
        peaks.append(used["freed"] / used["graph"])
        rows.append(
            [
                f"{n:,}",
                *figures(seconds[n, "build"] / n * 1e6, seconds[n, "pull"] / n * 1e6),
                *figures(*(used[key] for key in ("graph", "retained", "freed", "left"))),
            ]
        )
    return Table(
        "Large graphs",
        "A chain of as many nodes, on arrays of three numbers. Time per node, to build and free the graph, "
        "and with the backward pass (`retain_graph=False`) in between. Bytes per node: of the graph; on top "
        "of it, at the highest point of a pass that retains it, and then of one that frees it; what is left.",
        ["nodes", "build, µs", "with backward, µs", "graph, B", "retained: + B", "freed: + B", "left, B"],
        rows,
        [
            Aim("time per node at the largest size over that at the smallest,", 1.25, whole[-1] / whole[0]),
            Aim("memory of a pass that frees the graph, over the graph's,", 0.5, max(peaks)),
        ],
    )


def run(quick: bool) -> Iterator[Table]:
    """All of it; `quick` at tiny sizes."""
    torch.set_num_threads(1)
    for part in (overhead, scalars, ratios, size):
        yield part(quick)
