"""A finding written down as the result that the user gets."""

from __future__ import annotations

from pytest_gradcheck.core.evidence.jacobian import Cost
from pytest_gradcheck.core.orders import Order
from pytest_gradcheck.core.report import summary
from pytest_gradcheck.core.report.source import to_source
from pytest_gradcheck.core.results import CheckResult, MethodResult, Pair, Status, Verdict, Worst
from pytest_gradcheck.core.verdict import Finding


def write_up(order: Order, finding: Finding) -> CheckResult:
    """Return the result: the finding, and what every method gave in the table that it was found from."""
    problem, options, table = order.problem, order.options, finding.evidence.table
    labels = finding.labels
    pairs: tuple[Pair, ...] = ()
    worst: Worst | None = None
    if table is not None and finding.evidence.jacobian is not None:
        pairs, worst = summary.in_short(table, finding.evidence.jacobian)
        if table.differences is not None and table.differences.one_sided.any():
            labels += ("one-sided",)
    sources: dict[str, str] = {}
    if finding.verdict is not Verdict.PASS and not options.brief:
        sources = {key: to_source(value) for key, value in problem.arguments.items()}
    return CheckResult(
        name=problem.name,
        verdict=finding.verdict,
        culprit=finding.culprit,
        methods=_method_results(order, finding),
        pairs=pairs,
        worst=worst,
        diagnosis=finding.diagnosis,
        not_checked=(*problem.not_checked, *finding.not_checked),
        order=order.number,
        mode="directional" if table is not None and table.projected else "full",
        sensitivity=order.tolerance.sensitivity,
        seed=problem.seed,
        inputs=sources,
        reproduce=_reproduce(order, sources) if sources else "",
        labels=labels,
        properties=finding.evidence.properties,
    )


def _method_results(order: Order, finding: Finding) -> dict[str, MethodResult]:
    table, jacobian = finding.evidence.table, finding.evidence.jacobian
    out: dict[str, MethodResult] = {}
    for name, (status, reason) in finding.evidence.states.items():
        evaluations, calls = finding.spent.get(name, (0, 0))
        seconds = order.methods.seconds.get(name, 0.0)
        if jacobian is not None:
            seconds += jacobian.costs.get(name, Cost()).seconds
        value = bar = None
        if table is not None and status is Status.OK:
            value, bar = summary.shown(name, table, order.function, order.problem)
        out[name] = MethodResult(status, reason, value, bar, evaluations, seconds, calls)
    return out


def _reproduce(order: Order, sources: dict[str, str]) -> str:
    problem = order.problem
    if problem.how == "dict":
        inputs = "{" + ", ".join(f"{k!r}: {v}" for k, v in sources.items()) + "}"
    elif problem.how == "tuple":
        inputs = "(" + "".join(f"{v}, " for v in sources.values()).rstrip() + ")"
    else:
        inputs = next(iter(sources.values()))
    extra = ", order=2" if order.number == 2 else ""
    extra += ', stop_gradients="intended"' if order.options.holds_stops else ""
    return f"check_gradients({problem.name}, {inputs}{extra}, seed={problem.seed})"
