"""The diagnosis codes. A code is stable: reports and baselines keep it."""

from __future__ import annotations

import enum
from collections.abc import Iterator
from typing import NamedTuple

from pytest_gradcheck.core.results import Diagnosis


class Page(enum.StrEnum):
    """The pages of the documentation that describe the codes."""

    FAULTS = "reference/diagnoses.md"
    INCONCLUSIVE = "explanation/inconclusive.md"
    KINKS = "explanation/kinks.md"
    RULES = "howto/write_a_rule.md"
    PROPERTIES = "reference/properties.md"
    VERDICTS = "explanation/verdicts.md"


class Code(NamedTuple):
    """One row: a code, its page, and its sentence if that is fixed."""

    name: str
    page: Page
    sentence: str = ""


def _rows(page: Page, names: str) -> Iterator[Code]:
    return (Code(name, page) for name in names.split())


CODES = (
    # Nothing is wrong.
    Code("agree", Page.VERDICTS),
    Code("proved", Page.VERDICTS),
    Code("subgradient", Page.KINKS, "at a kink; every gradient lies between the one-sided slopes"),
    Code("reference-engine", Page.RULES),
    # Nothing is known.
    Code("nondeterministic", Page.INCONCLUSIVE, "two calls at the same point gave different values"),
    Code(
        "singularity",
        Page.INCONCLUSIVE,
        "the gradient is not finite at this point, so it cannot be verified numerically",
    ),
    Code("jump", Page.INCONCLUSIVE, "the function jumps at this point; it has no derivative there"),
    Code(
        "kink",
        Page.INCONCLUSIVE,
        "the function has a kink, a jump or an edge at this point; the gradient differs from one-sided slopes"
        " there, but function values do not show that it is wrong",
    ),
    *_rows(Page.INCONCLUSIVE, "unconfirmed"),
    Code(
        "constant",
        Page.INCONCLUSIVE,
        "the value was the same wherever the function was evaluated: it depends on none of its inputs",
    ),
    *_rows(Page.INCONCLUSIVE, "nothing-checked non-finite-value methods-split unresolved not-implemented"),
    # Found from the values.
    *_rows(
        Page.FAULTS, "sign conjugate constant-factor zero-gradient non-finite-gradient transposed permuted"
    ),
    *_rows(Page.FAULTS, "one-entry one-row one-input one-output wrong-values kink-outside"),
    # Found from the whole matrix of a derivative by hand.
    *_rows(Page.FAULTS, "not-symmetric chain-factor not-linear"),
    Code("value-mismatch", Page.FAULTS),
    # A cause was found: in the graph, in another precision, at another point, or in the code.
    *_rows(Page.FAULTS, "missing-term missing-sum precision-loss special-values stop-gradient out-of-graph"),
    # Reported by the framework.
    Code("detached", Page.PROPERTIES),
    *_rows(Page.FAULTS, "none-gradient once-differentiable backward-raised gradient-count"),
    *_rows(Page.FAULTS, "stale-saved-tensor shape-mismatch dtype-mismatch device-mismatch"),
    # The values are right, but a property does not hold.
    *_rows(Page.FAULTS, "uninitialised-memory mutated-input mutated-cotangent accumulates linear-backward"),
    *_rows(Page.FAULTS, "nondeterministic-backward undefined-cotangents frozen-inputs zero-size-inputs"),
    *_rows(
        Page.FAULTS, "non-contiguous-inputs non-contiguous-cotangents expanded-inputs expanded-cotangents"
    ),
    *_rows(Page.FAULTS, "conjugated-inputs conjugated-cotangents batched-cotangents vmap forward-mode"),
    *_rows(Page.PROPERTIES, "primal-mismatch compiled leaked-tracers"),
)

_SENTENCES = {code.name: code.sentence for code in CODES if code.sentence}

#: Two calls of the function cannot be compared, so no property of its gradient is tried.
SILENT = frozenset({"nondeterministic", "non-finite-value"})

#: The broken property also makes values wrong, so it precedes the diagnosis of the values.
EXPLAINS = frozenset({"uninitialised-memory", "mutated-input", "mutated-cotangent", "accumulates"})

#: The property can be tried before the values, which are right or wrong independently of it.
BESIDE_VALUES = frozenset({"stale-saved-tensor", "mutated-input", "mutated-cotangent", "accumulates"})

#: Codes that say where a gradient is wrong but not how; a cause is more informative.
VAGUE = frozenset({"permuted", "one-entry", "one-row", "one-input", "one-output", "wrong-values"})

#: The method itself gave the reason, so no cause is looked for.
NOTED = frozenset({"kink-outside", "detached", "none-gradient", "once-differentiable"})


def fixed(code: str) -> Diagnosis:
    """Return the diagnosis of a code with a fixed sentence."""
    return Diagnosis(code, _SENTENCES[code])
