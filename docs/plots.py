"""The plots on the pages, drawn by matplotlib, each for a light and for a dark page.

A plot is drawn from its data alone. Its file has a digest of the data, so a test can tell that a plot is out
of date without drawing it.
"""

from __future__ import annotations

import hashlib
import io
import re
import textwrap
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from docs.benchmarks_page import stored
from docs.benchmarks_page.questions import QUESTIONS, times

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["PLOTS", "THEMES", "Plot", "digest", "digest_of", "svg"]

WIDTH = 5.2
"""Inches, at 96 pixels each: small enough for a phone to show the text in a readable size."""

Data = Any
"""What a plot shows: lists and tuples of numbers and text."""


class Theme(NamedTuple):
    """The colours of one kind of page. All have a contrast of at least 4.5 with the ground."""

    ground: str
    ink: str
    muted: str
    grid: str
    blue: str
    orange: str
    green: str
    red: str
    purple: str


THEMES = {
    "light": Theme(
        "#ffffff", "#1a1a1a", "#5f6368", "#d9dce1", "#0a58b5", "#9a4b00", "#18703a", "#b3261e", "#7b3fb0"
    ),
    "dark": Theme(
        "#131416", "#e8eaed", "#a8adb4", "#34383e", "#7db4ff", "#ffb066", "#7fd49b", "#ff8a80", "#d3a6ff"
    ),
}


class Plot(NamedTuple):
    """A plot: where its data come from, how they are drawn, and its height in inches for these data."""

    data: Callable[[], Data]
    draw: Callable[[Sequence[Axes], Theme, Data], None]
    height: Callable[[Data], float]
    panels: tuple[float, ...] = (1,)
    """The heights of the panels, one below the other."""


def digest(data: Data) -> str:
    """Return a short digest of the data of a plot."""
    return hashlib.sha256(repr(_rounded(data)).encode()).hexdigest()[:16]


def _rounded(data: Data) -> Data:
    if isinstance(data, float):
        return f"{data:.6g}"
    return [_rounded(each) for each in data] if isinstance(data, list | tuple) else data


def digest_of(text: str) -> str:
    """Return the digest that an SVG file says that its data have."""
    found = re.search(r"<dc:description>data ([0-9a-f]{16})</dc:description>", text)
    return found[1] if found else ""


def svg(plot: Plot, theme: Theme) -> str:
    """Draw a plot."""
    import matplotlib
    from matplotlib.figure import Figure

    data = plot.data()
    style = {
        "svg.fonttype": "none",  # text stays text: it can be searched, and takes the reader's font
        "svg.hashsalt": "pytest-gradcheck",
        "font.family": ["DejaVu Sans"],
        "font.size": 10.5,
        "figure.facecolor": theme.ground,
        "axes.facecolor": theme.ground,
        "axes.edgecolor": theme.muted,
        "axes.labelcolor": theme.ink,
        "axes.titlecolor": theme.ink,
        "axes.titlesize": 10.5,
        "axes.titleweight": "bold",
        "axes.titlelocation": "left",
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.axisbelow": True,
        "grid.color": theme.grid,
        "text.color": theme.ink,
        "xtick.color": theme.muted,
        "ytick.color": theme.muted,
        "legend.frameon": False,
        "lines.linewidth": 2.0,
    }
    with matplotlib.rc_context(style):
        figure = Figure(figsize=(WIDTH, plot.height(data)), layout="constrained")
        axes = figure.subplots(len(plot.panels), 1, height_ratios=plot.panels, squeeze=False)[:, 0]
        plot.draw(list(axes), theme, data)
        out = io.StringIO()
        metadata = {"Date": None, "Creator": None, "Description": f"data {digest(data)}"}
        figure.savefig(out, format="svg", metadata=metadata)
    # The layout is for a wide font, so the reader's own fits. matplotlib ends some lines with a space.
    text = out.getvalue().replace("'DejaVu Sans'", "system-ui, 'DejaVu Sans', sans-serif")
    return re.sub(r" +$", "", text, flags=re.MULTILINE)


def _decades(axis: Any) -> None:
    """Label a logarithmic axis without mathematical text, whose font a reader may lack."""
    from matplotlib.ticker import FuncFormatter, NullFormatter

    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())


# ---------------------------------------------------------------------- the tutorial


def f(x: float) -> float:
    """The parabola of the tutorial."""
    return 2 * x**2 - 3 * x + 4


def parabola_data() -> Data:
    """Return points of the parabola, and the points with tangents."""
    return [(k / 10, f(k / 10)) for k in range(-30, 71)], [
        (x, f(x), 4 * x - 3) for x in (-2.0, 0.75, 2.0, 6.0)
    ]


def parabola(axes: Sequence[Axes], theme: Theme, data: Data) -> None:
    """Draw the parabola with tangents."""
    (ax,) = axes
    curve, tangents = data
    ax.plot(*zip(*curve, strict=True), color=theme.blue)
    for (x, y, slope), half, (dx, dy), side in zip(
        tangents,
        (1.0, 1.4, 1.4, 0.7),
        ((10, 2), (0, -16), (8, -14), (-12, -3)),
        ("left", "center", "left", "right"),
        strict=True,
    ):
        ax.plot(
            [x - half, x + half], [y - slope * half, y + slope * half], color=theme.orange, linestyle="--"
        )
        ax.plot([x], [y], "o", color=theme.orange)
        ax.annotate(
            f"slope {slope:g}".replace("-", "−"), (x, y), (dx, dy), textcoords="offset points", ha=side
        )
    ax.set(xlabel="x", ylabel="f(x) = 2x² − 3x + 4", xlim=(-3, 7), ylim=(-20, 85))
    ax.grid(True)


def v_curve_data() -> Data:
    """Return the errors of both difference quotients of the parabola at 2, by step."""
    # Decimals are the same numbers on every machine.
    steps = [float(f"{m}e-{k}") for k in range(1, 16) for m in ("10", "5.6", "3.2", "1.8")] + [1e-15]
    # An error of zero has no place on this scale.
    floor = 1e-16
    forward = [max(abs((f(2 + h) - f(2)) / h - 5), floor) for h in steps]
    central = [max(abs((f(2 + h) - f(2 - h)) / (2 * h) - 5), floor) for h in steps]
    return steps, forward, central


def v_curve(axes: Sequence[Axes], theme: Theme, data: Data) -> None:
    """Draw error against step."""
    (ax,) = axes
    steps, forward, central = data
    ends = [1e-15, 1.0]
    ax.plot(ends, [2 * h for h in ends], ":", color=theme.muted, linewidth=1.5)
    ax.plot(ends, [2.2e-16 * f(2) / h for h in ends], ":", color=theme.muted, linewidth=1.5)
    ax.plot(steps, forward, color=theme.blue)
    ax.plot(steps, central, color=theme.orange, linestyle="--")
    ax.set(
        xscale="log",
        yscale="log",
        xlim=(1e-15, 1),
        ylim=(1e-16, 1e2),
        xlabel="step h",
        ylabel="absolute error",
    )
    ax.text(3e-4, 8e-3, "forward", color=theme.blue, ha="right")
    ax.text(2e-4, 1.5e-14, "central", color=theme.orange, ha="right")
    ax.text(1e-13, 1e-14, "truncation 2h", color=theme.muted)
    ax.text(3e-12, 1e-2, "rounding ε f(2) / h", color=theme.muted)
    _decades(ax.xaxis)
    _decades(ax.yaxis)
    ax.set_xticks([1e-15, 1e-12, 1e-9, 1e-6, 1e-3, 1])
    ax.grid(True)


# ---------------------------------------------------------------------- error bars, kinks and verdicts


def taylor_data() -> Data:
    """Return the remainders of 1 / (1 + x²) at 1 for the right gradient, -1/2, and for one 1 % off."""
    steps = [float(f"{m}e-{k}") for k in range(1, 8) for m in ("10", "3.2")]
    values = [1 / (1 + (1 + h) * (1 + h)) for h in steps]
    of = {
        g: [abs(value - 0.5 - h * g) for h, value in zip(steps, values, strict=True)] for g in (-0.5, -0.505)
    }
    return steps, of[-0.5], of[-0.505]


def taylor(axes: Sequence[Axes], theme: Theme, data: Data) -> None:
    """Draw remainders against steps."""
    (ax,) = axes
    steps, right, wrong = data
    ax.plot(steps, right, "o-", color=theme.blue, markersize=5)
    ax.plot(steps, wrong, "s--", color=theme.orange, markersize=5)
    ax.set(
        xscale="log",
        yscale="log",
        xlabel="step h",
        ylabel="remainder |f(x + h) − f(x) − h g|",
        ylim=(1e-15, 1),
        xlim=(1e-7, 2),
    )
    ax.text(2e-6, 2e-7, "gradient 1 % off:\nfalls as h", color=theme.orange, ha="center")
    ax.text(4e-4, 1e-10, "right gradient:\nfalls as h²", color=theme.blue, ha="left")
    _decades(ax.xaxis)
    _decades(ax.yaxis)
    ax.grid(True)


NOISE = 5e-4
"""The rounding error of three decimals."""


def bell(x: float) -> float:
    """A smooth function, rounded to three decimals. Its derivative at 1 is -1/2."""
    return round(1 / (1 + x * x), 3)


def error_bar_data() -> Data:
    """Return the quotients of `bell` at 1 with what rounding may do to them, and the answer with its bar."""
    steps = [2.0**-k for k in range(8)]
    quotients = [(bell(1 + h) - bell(1 - h)) / (2 * h) for h in steps]
    rounding = [NOISE / h for h in steps]
    answers = []
    for k in range(len(steps) - 1):
        value = (4 * quotients[k + 1] - quotients[k]) / 3
        truncation = abs(value - quotients[k + 1])
        answers.append((truncation + (4 * rounding[k + 1] + rounding[k]) / 3, value, steps[k + 1]))
    bar, value, step = min(answers)
    return steps, quotients, rounding, (step, value, bar)


def error_bar(axes: Sequence[Axes], theme: Theme, data: Data) -> None:
    """Draw quotients against steps, and the answer."""
    (ax,) = axes
    steps, quotients, rounding, (step, value, bar) = data
    ax.axhline(-0.5, color=theme.green, linestyle="--", linewidth=1.5)
    ax.errorbar(steps, quotients, rounding, fmt="o", color=theme.blue, elinewidth=1.5, capsize=3)
    place = 3.2
    ax.errorbar([place], [value], [bar], fmt="D", color=theme.orange, elinewidth=2.5, capsize=5)
    ax.annotate(
        "", (place * 0.8, value), (step * 1.25, value), arrowprops={"arrowstyle": "->", "color": theme.muted}
    )
    ax.set(xscale="log", xlim=(5e-3, 6), ylim=(-0.58, -0.37), xlabel="step h", ylabel="difference quotient")
    ax.text(0.09, -0.527, "true derivative", color=theme.green)
    ax.text(1.2e-2, -0.405, "rounding:\nnoise / h", color=theme.blue)
    ax.text(0.6, -0.405, "truncation:\ngrows with h", color=theme.blue, ha="right")
    ax.text(place, value + bar + 0.012, "answer with\nerror bar", color=theme.orange, ha="center")
    _decades(ax.xaxis)
    ax.grid(True)


def kink_data() -> Data:
    """Return the gradients on trial for the absolute value at 0, and whether they pass."""
    return [(-1.0, True), (0.0, True), (0.3, True), (2.0, False)]


def kink(axes: Sequence[Axes], theme: Theme, data: Data) -> None:
    """Draw the absolute value with lines of these slopes, and the interval that passes."""
    top, below = axes
    ends = [-1.0, 1.0]
    top.fill_between(ends, [-1, 1], [1, -1], color=theme.green, alpha=0.15, linewidth=0)
    for slope, passes in data:
        top.plot(
            ends,
            [slope * x for x in ends],
            color=theme.green if passes else theme.red,
            linestyle="-" if passes else "--",
            linewidth=1.5,
        )
    top.plot([-1, 0, 1], [1, 0, 1], color=theme.blue, linewidth=3)
    top.set(xlim=(-1, 1), ylim=(-1, 1), xlabel="x", title="|x| and lines through its kink")
    top.text(-0.9, 0.55, "|x|", color=theme.blue)
    top.text(0.38, 0.85, "slope 2", color=theme.red, ha="right")
    top.text(0.97, -0.35, "slopes between\n−1 and 1", color=theme.green, va="center", ha="right")
    top.grid(True)
    below.axvspan(-1, 1, color=theme.green, alpha=0.15, linewidth=0)
    for slope, passes in data:
        below.plot(
            [slope], [0], "o" if passes else "X", color=theme.green if passes else theme.red, markersize=9
        )
        below.annotate(
            f"{slope:g}: {'pass' if passes else 'fail'}".replace("-", "−"),
            (slope, 0),
            (0, 12 if slope != 0.3 else -20),
            textcoords="offset points",
            ha="center",
        )
    below.set(xlim=(-1.6, 2.6), ylim=(-1, 1), xlabel="gradient on trial", title="Subgradients pass")
    below.set_yticks([])


def jump_data() -> Data:
    """Return the quotients of floor at 1 and of the absolute value at 0, by step."""
    steps = [10.0**-k for k in range(7)]
    return steps, [(1 - 0) / (2 * h) for h in steps], [1.0 for _ in steps]


def jump(axes: Sequence[Axes], theme: Theme, data: Data) -> None:
    """Draw floor, and its quotients at the jump."""
    top, below = axes
    for k in range(3):
        top.plot([k, k + 1], [k, k], color=theme.blue, linewidth=3)
        top.plot([k], [k], "o", color=theme.blue)
        top.plot([k + 1], [k], "o", color=theme.blue, markerfacecolor=theme.ground)
    top.axvline(1, color=theme.red, linestyle="--", linewidth=1.5)
    top.axvline(1.5, color=theme.green, linestyle="--", linewidth=1.5)
    top.text(0.96, 2.05, "inconclusive", color=theme.red, ha="right")
    top.text(1.54, 2.05, "pass: slope 0", color=theme.green)
    top.set(xlim=(0, 3), ylim=(-0.3, 2.4), xlabel="x", ylabel="floor(x)", title="A jump has no derivative")
    top.grid(True)
    steps, jumping, kinked = data
    below.plot(steps, jumping, "o-", color=theme.red)
    below.plot(steps, kinked, "s--", color=theme.blue)
    below.text(3e-4, 3e4, "jump: grows like 1 / h", color=theme.red, ha="left")
    below.text(3e-4, 2.5, "kink: stays", color=theme.blue, ha="left")
    below.set(
        xscale="log",
        yscale="log",
        ylim=(0.1, 1e6),
        xlabel="step h",
        ylabel="difference quotient",
        title="How a jump shows",
    )
    _decades(below.xaxis)
    _decades(below.yaxis)
    below.grid(True)


def verdict_data() -> Data:
    """Return an example of answers, values and bars, for each verdict."""
    return [
        ("pass: all bars overlap", [(0.8776, 0.002), (0.8774, 0.004), (0.8776, 0.0004), (0.8776, 0.0004)]),
        (
            "fail: autograd's gradient stands alone",
            [(0.8776, 0.002), (0.8774, 0.004), (0.8776, 0.0004), (0.896, 0.0004)],
        ),
        (
            "inconclusive: an error could hide in these bars",
            [(0.8776, 0.016), (0.879, 0.019), None, (0.884, 0.0004)],
        ),
    ]


METHODS = ("central", "forward", "reference", "torch")


def verdict(axes: Sequence[Axes], theme: Theme, data: Data) -> None:
    """Draw the answers of the methods, a panel for each verdict."""
    colors = (theme.green, theme.red, theme.orange)
    for ax, (title, answers), color in zip(axes, data, colors, strict=True):
        for k, answer in enumerate(answers):
            if answer is None:
                ax.text(0.8776, k, "unavailable", color=theme.muted, va="center", ha="center")
                continue
            stands_alone = title.startswith("fail") and k == 3
            ax.errorbar(
                [answer[0]],
                [k],
                xerr=[answer[1]],
                fmt="X" if stands_alone else "o",
                color=theme.red if stands_alone else theme.blue,
                elinewidth=2,
                capsize=4,
                markersize=8 if stands_alone else 6,
            )
        ax.set_yticks(range(4), METHODS)
        ax.tick_params(axis="y", length=0)
        ax.set(xlim=(0.855, 0.905), ylim=(3.6, -0.6))
        ax.set_title(title, color=color)
        ax.grid(True, axis="x")
        if ax is not axes[-1]:
            ax.tick_params(axis="x", labelbottom=False)
    axes[-1].set_xlabel("derivative of sin at 0.5")


# ---------------------------------------------------------------------- the benchmarks


def _tables(name: str) -> list[stored.Stored]:
    titles = next(question.tables for question in QUESTIONS if question.name == name)
    by_title = {table.title: table for table in stored.every()}
    return [by_title[title] for title in titles]


def _row_label(ax: Axes, row: float, words: str) -> None:
    """Write what a row shows above it, over the width of the plot."""
    ax.text(
        0,
        row - 0.2,
        textwrap.fill(words, 66),
        transform=ax.get_yaxis_transform(),
        va="bottom",
        fontsize=9.5,
        linespacing=1.0,
        bbox={"facecolor": ax.get_facecolor(), "edgecolor": "none", "pad": 1},
    ).set_in_layout(False)


def times_data(name: str) -> Callable[[], Data]:
    """Return what reads our times over the peers' for one question."""

    def data() -> Data:
        found = [each for table in _tables(name) for each in table.timed()]
        found.sort(key=lambda each: -float(each.median))
        return [(each.what, float(each.least), float(each.median), float(each.most)) for each in found]

    return data


def ranges(axes: Sequence[Axes], theme: Theme, data: Data) -> None:
    """Draw for each comparison the median and the range of our time over the peer's."""
    (ax,) = axes
    low = min(0.5, *(least for _, least, _, _ in data))
    high = max(2.0, *(most for *_, most in data))
    for k, (what, least, median, most) in enumerate(data):
        color = theme.orange if median > 1 else theme.blue
        ax.plot([least, most], [k, k], color=color, linewidth=4, alpha=0.55, solid_capstyle="round")
        ax.plot([median], [k], "o" if median <= 1 else "s", color=color, markersize=8)
        _row_label(ax, k, what)
    ax.axvline(1, color=theme.ink, linewidth=1)
    ax.set(xscale="log", xlim=(low / 1.5, high * 1.5), ylim=(len(data) - 0.5, -1.35))
    for words, side, color in (
        ("← faster here", "right", theme.blue),
        ("slower here →", "left", theme.orange),
    ):
        shift = (-8 if side == "right" else 8, 0)
        ax.annotate(words, (1, -1.1), shift, textcoords="offset points", ha=side, color=color).set_in_layout(
            False
        )
    ax.set(xlabel="our time / the peer's time")
    ax.set_yticks([])
    ax.spines["left"].set_visible(False)
    ax.grid(True, axis="x")
    _decades(ax.xaxis)
    if high / low < 100:
        ticks = [
            tick
            for tick in (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20)
            if low / 1.5 < tick < high * 1.5
        ]
        ax.set_xticks(ticks)


def calls_data() -> Data:
    """Return the forward calls of kernels, right and wrong, by checker."""
    (table,) = _tables("calls")
    rows = [row for row in table.rows if row[2]]
    return [(row[0], *(int(cell.partition(" /")[0]) for cell in row[1:4])) for row in rows]


def calls(axes: Sequence[Axes], theme: Theme, data: Data) -> None:
    """Draw a group of bars for each kernel."""
    (ax,) = axes
    styles = (
        ("check_gradients", theme.blue),
        ("gradcheck, slow mode", theme.orange),
        ("gradcheck, fast mode", theme.muted),
    )
    for k, row in enumerate(data):
        for j, ((label, color), number) in enumerate(zip(styles, row[1:], strict=True)):
            y = k + (j - 1) * 0.22 + 0.12
            ax.barh(
                y,
                number,
                0.2,
                color=color,
                label=label if k == 0 else None,
            )
            ax.text(number + 2, y, str(number), va="center", fontsize=8.5)
        _row_label(ax, k - 0.08, row[0])
    ax.set(xlim=(0, 225), ylim=(len(data) - 0.4, -0.6), xlabel="calls of the function (forward)")
    ax.set_yticks([])
    ax.grid(True, axis="x")
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.07), ncols=1, fontsize=9.5)


def faults_data() -> Data:
    """Return the share of wrong verdicts in percent, by checker."""
    out = []
    for table in _tables("faults"):
        for each in table.judged():
            found = re.search(r"of (\d[\d,]*)", each.what)
            assert found is not None, f"{each.what} does not say of how many"
            whole = int(found[1].replace(",", ""))
            shares = [
                (who, 100 * int(count.partition(",")[0].replace(",", "")) / whole)
                for who, count in each.counts
            ]
            out.append((each.what, shares))
    return out


def faults(axes: Sequence[Axes], theme: Theme, data: Data) -> None:
    """Draw a row of markers for each kind of function."""
    (ax,) = axes
    styles = {
        "check_gradients": ("o", theme.blue),
        "gradcheck, slow mode": ("s", theme.orange),
        "gradcheck, fast mode": ("^", theme.red),
        "jax check_grads": ("D", theme.green),
        "autograd check_grads": ("v", theme.purple),
    }
    shown = set()
    for k, (what, shares) in enumerate(data):
        ax.axhline(k, color=theme.grid, linewidth=1)
        for who, share in reversed(shares):
            marker, color = styles[who]
            ax.plot(
                [share],
                [k],
                marker,
                color=color,
                markersize=8,
                markeredgecolor=theme.ground,
                linestyle="none",
                label=None if who in shown else who,
                clip_on=False,
            )
            shown.add(who)
        _row_label(ax, k, what)
    ax.set(xlim=(-2, 102), ylim=(len(data) - 0.5, -0.9), xlabel="wrong verdicts, %")
    ax.set_yticks([])
    ax.spines["left"].set_visible(False)
    ax.grid(True, axis="x")
    ax.legend(loc="upper center", bbox_to_anchor=(0.45, -0.07), ncols=2, fontsize=9.5)


def _rows(base: float, each: float) -> Callable[[Data], float]:
    return lambda data: base + each * len(data)


def _always(height: float) -> Callable[[Data], float]:
    return lambda data: height


PLOTS: Mapping[str, Plot] = {
    "parabola": Plot(parabola_data, parabola, _always(3.4)),
    "v-curve": Plot(v_curve_data, v_curve, _always(3.4)),
    "error-bar": Plot(error_bar_data, error_bar, _always(3.4)),
    "taylor": Plot(taylor_data, taylor, _always(3.4)),
    "kink": Plot(kink_data, kink, _always(4.6), (3, 1.2)),
    "jump": Plot(jump_data, jump, _always(5.2), (1, 1.2)),
    "verdicts": Plot(verdict_data, verdict, _always(5.2), (1, 1, 1)),
    "bench-calls": Plot(calls_data, calls, _rows(1.6, 0.72)),
    "bench-faults": Plot(faults_data, faults, _rows(1.8, 0.55)),
    **{
        f"bench-{question.name.replace('_', '-')}": Plot(times_data(question.name), ranges, _rows(1.2, 0.52))
        for question in QUESTIONS
        if question.answer is times
    },
}
