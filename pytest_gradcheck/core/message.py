"""The text of a result that a person reads: at most 25 lines, never a matrix."""

from __future__ import annotations

from pytest_gradcheck.core.results import CheckResult, Status, Verdict

#: What one line of the message may hold; longer reasons are cut there, and whole in the report.
WIDTH = 160

#: What an input may take to be printed whole, in one line to paste: about 200 numbers.
WHOLE = 4000

HEADLINES = {
    Verdict.PASS: "gradients agree",
    Verdict.FAIL: "wrong gradient",
    Verdict.INCONCLUSIVE: "gradients could not be checked",
}


def render(result: CheckResult, *, full: bool = False) -> str:
    """Return the message; ``full`` adds pairs and costs, and cuts nothing."""
    order = " (second order)" if result.order == 2 else ""
    lines = [f"{HEADLINES[result.verdict]}{order}: {result.name}"]
    lines.append(f"  diagnosis: {result.diagnosis.text} [{result.diagnosis.code}]")
    if result.culprit:
        lines.append(f"  culprit:   {result.culprit}")
    broken = [p for p in result.properties if p.holds is False and p.code != result.diagnosis.code]
    lines += _some("property", [f"{p.name}: {p.detail}" for p in broken], full)
    lines += _worst(result)
    lines += _methods(result)
    if result.not_checked and (full or result.verdict is not Verdict.PASS):
        lines += _some("not checked", [f"{n.what}: {n.reason}" for n in result.not_checked], full)
    again = result.reproduce if full or len(result.reproduce) <= WIDTH else ""
    if result.inputs and (full or not again):
        lines.append("  inputs:")
        shown = list(result.inputs.items())
        for key, source in shown if full else shown[:4]:
            lines.append(f"    {key} = {source if full else pasteable(source)}")
        if not full and len(shown) > 4:
            lines.append(f"    … and {len(shown) - 4} more")
    if full:
        for pair in result.pairs:
            said = {True: "agree", False: "differ", None: "undecided"}[pair.agree]
            lines.append(
                f"  {pair.a} and {pair.b} {said}: at most {pair.max_abs:.3g} ({pair.max_rel:.3g} relative)"
            )
        for name, method in result.methods.items():
            together = f" in {method.calls} calls" if method.calls < method.evaluations else ""
            spent = f"{method.seconds * 1e3:.2f} ms"
            lines.append(f"  {name}: {method.evaluations} evaluations{together}, {spent}")
    if again:
        lines.append(f"  reproduce: {again}")
    return "\n".join(lines)


def pasteable(source: str) -> str:
    """Return an input's source whole, or, where it would fill the screen, its beginning and its length."""
    if len(source) <= WHOLE:
        return source
    return f"{source[:WIDTH]}… ({len(source)} characters; whole in the report and under -vv)"


def _worst(result: CheckResult) -> list[str]:
    worst = result.worst
    if worst is None or result.verdict is Verdict.PASS:
        return []
    place = worst.place
    lines = [f"  worst at:  {place}"]
    width = max(len(name) for name in worst.values) if worst.values else 0
    # A backward may be wrong in another way than by its values.
    apart = not worst.difference <= worst.tolerance
    for name, value in worst.values.items():
        mark = "  <-- differs" if apart and name == result.culprit else ""
        lines.append(f"    {name:<{width}}  {value:< .12g} ± {worst.uncertainties[name]:.1g}{mark}")
    lines.append(f"    difference {worst.difference:.3g}, allowed {worst.tolerance:.3g}")
    return lines


def _methods(result: CheckResult) -> list[str]:
    """List the methods that gave no answer, and why."""
    return [
        f"  {name}: {_cut(f'{method.status} ({method.reason})')}"
        for name, method in result.methods.items()
        if method.status is not Status.OK
    ]


def _some(title: str, items: list[str], full: bool) -> list[str]:
    shown = items if full else items[:3]
    rest = len(items) - len(shown)
    more = [f"and {rest} more"] if rest else []
    return [f"  {title}: {_cut(item) if not full else item}" for item in shown + more]


def _cut(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= WIDTH else flat[: WIDTH - 1] + "…"
