"""Write the pictures on these pages: graphs, drawn by the engine itself, plots, and the architecture.

    python docs/pictures.py            writes docs/images/*.svg and docs/images/plots/*.svg
    python docs/pictures.py --check    fails if one is out of date

Plots need matplotlib, which the extra docs installs. `--check` compares their data and does not draw them.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "docs/images"
if __name__ == "__main__":
    # In place of docs/, as in coverage.py.
    sys.path[0] = str(ROOT)

from docs import house, plots  # noqa: E402  found by the path above
from docs.written import write_or_check  # noqa: E402  as above
from reference_engine import Drawing, Tensor, draw, log_softmax, name_scope, softmax  # noqa: E402  as above


def tutorial() -> Drawing:
    """L = (a·b + c)·f with the value and the gradient of every node."""
    a, b, c, f = (
        Tensor(value, requires_grad=True, label=label)
        for label, value in (("a", 3.0), ("b", -2.0), ("c", 8.0), ("f", -2.0))
    )
    d = a * b
    d.label = "d"
    e = d + c
    e.label = "e"
    loss = e * f
    loss.label = "L"
    loss.backward()
    return draw(loss)


def mlp() -> Drawing:
    """Two layers with tanh between them and the mean squared error, for three points in the plane."""
    random = np.random.default_rng(0)
    x = Tensor(random.normal(size=(3, 2)), label="x")
    y = Tensor(random.normal(size=(3, 1)), label="y")
    with name_scope("layer 1"):
        W1 = Tensor(random.normal(size=(2, 4)), requires_grad=True, label="W1")
        b1 = Tensor(np.zeros(4), requires_grad=True, label="b1")
        h = np.tanh(x @ W1 + b1)
    with name_scope("layer 2"):
        W2 = Tensor(random.normal(size=(4, 1)), requires_grad=True, label="W2")
        b2 = Tensor(np.zeros(1), requires_grad=True, label="b2")
        prediction = h @ W2 + b2
    with name_scope("loss"):
        loss = np.mean((prediction - y) ** 2)
    h.label, prediction.label, loss.label = "h", "prediction", "L"
    loss.backward()
    return draw(loss, direction="down")


def transformer() -> Drawing:
    """Two blocks of a transformer, every part of a block one box."""
    random = np.random.default_rng(0)
    x = Tensor(random.normal(size=(5, 8)), label="x")
    h = x
    for number in (1, 2):
        with name_scope(f"block {number}"):
            with name_scope("attention"):
                q, k, v = (h @ _weights(random, 8, 8) for _ in range(3))
                mixed = softmax(q @ k.T / np.sqrt(8)) @ v
            h = h + mixed
            with name_scope("feed forward"):
                widened = np.maximum(h @ _weights(random, 8, 32), 0) @ _weights(random, 32, 8)
            h = h + widened
    with name_scope("head"):
        logits = np.mean(h, axis=0) @ _weights(random, 8, 3)
        loss = -log_softmax(logits)[0]
    loss.label = "L"
    loss.backward()
    return draw(loss, direction="down", depth=2)


def _weights(random: np.random.Generator, rows: int, columns: int) -> Tensor:
    return Tensor(random.normal(size=(rows, columns)) / np.sqrt(rows), requires_grad=True)


PICTURES = {"graph.svg": tutorial, "mlp.svg": mlp, "transformer.svg": transformer}


def drawn() -> dict[str, str]:
    """The text of every picture but the plots, by the name of its file."""
    graphs = {name: picture().svg for name, picture in PICTURES.items()}
    return {**graphs, "architecture.svg": house.picture()}


def files_of_plots() -> dict[str, tuple[plots.Plot, plots.Theme]]:
    """Every plot in every theme, by the name of its file."""
    return {
        f"plots/{name}.{page}.svg": (plot, theme)
        for name, plot in plots.PLOTS.items()
        for page, theme in plots.THEMES.items()
    }


def outdated() -> list[str]:
    """The files of the plots whose data have changed since they were drawn."""
    found = []
    for name, (plot, _) in files_of_plots().items():
        path = FOLDER / name
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        if plots.digest_of(text) != plots.digest(plot.data()):
            found.append(name)
    return found


def main(arguments: Sequence[str]) -> int:
    """Write the pictures, or compare them with `--check`; the exit status."""
    status = write_or_check(
        arguments, "docs/pictures.py", lambda: {FOLDER / name: text for name, text in drawn().items()}
    )
    if status == 2:
        return status
    if arguments:
        for name in outdated():
            print(f"{FOLDER / name} shows old data: run python docs/pictures.py", file=sys.stderr)
            status = 1
    else:
        for name, (plot, theme) in files_of_plots().items():
            (FOLDER / name).write_text(plots.svg(plot, theme), encoding="utf-8")
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
