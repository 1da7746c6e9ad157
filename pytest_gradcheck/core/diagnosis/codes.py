"""The diagnosis codes: one row for each, with what follows from it.

A code is stable: reports and baselines keep it. Its sentence is here where it is always the same.
"""

from __future__ import annotations

import enum
from typing import NamedTuple

from pytest_gradcheck.core.results import Diagnosis


class Page(enum.StrEnum):
    """The pages of the documentation that have the codes."""

    FAULTS = "reference/diagnoses.md"
    INCONCLUSIVE = "explanation/inconclusive.md"
    KINKS = "explanation/kinks.md"
    RULES = "howto/write_a_rule.md"
    PROPERTIES = "reference/properties.md"
    VERDICTS = "explanation/verdicts.md"


class Code(NamedTuple):
    """One row.

    ``silences``: two calls of the function cannot be compared, so no property of its gradient is tried.
    ``explains``: the property makes values wrong as well, and comes before what the values show.
    ``vague``: it says where a gradient is wrong and not how; a cause says more.
    ``noted``: the method itself gave the reason, and no cause is looked for.
    """

    name: str
    page: Page
    sentence: str = ""
    silences: bool = False
    explains: bool = False
    vague: bool = False
    noted: bool = False


CODES = (
    # Nothing is wrong.
    Code("agree", Page.VERDICTS),
    Code("subgradient", Page.KINKS, "at a kink; every gradient lies between the one-sided slopes"),
    Code("reference-engine", Page.RULES),
    # Nothing is known.
    Code("nothing-checked", Page.INCONCLUSIVE),
    Code(
        "nondeterministic",
        Page.INCONCLUSIVE,
        "two calls at the same point gave different values",
        silences=True,
    ),
    Code("non-finite-value", Page.INCONCLUSIVE, silences=True),
    Code(
        "singularity",
        Page.INCONCLUSIVE,
        "the gradient is not finite at this point, and nobody can measure it",
    ),
    Code("jump", Page.INCONCLUSIVE, "the function jumps at this point; it has no derivative there"),
    Code("methods-split", Page.INCONCLUSIVE),
    Code("unresolved", Page.INCONCLUSIVE),
    Code("not-implemented", Page.INCONCLUSIVE),
    # The values show it.
    Code("sign", Page.FAULTS),
    Code("conjugate", Page.FAULTS),
    Code("constant-factor", Page.FAULTS),
    Code("zero-gradient", Page.FAULTS),
    Code("non-finite-gradient", Page.FAULTS),
    Code("transposed", Page.FAULTS),
    Code("permuted", Page.FAULTS, vague=True),
    Code("one-entry", Page.FAULTS, vague=True),
    Code("one-row", Page.FAULTS, vague=True),
    Code("one-input", Page.FAULTS, vague=True),
    Code("one-output", Page.FAULTS, vague=True),
    Code("wrong-values", Page.FAULTS, vague=True),
    Code("kink-outside", Page.FAULTS, noted=True),
    # A cause was found in the graph, in another precision, at another point, in the code.
    Code("missing-term", Page.FAULTS),
    Code("missing-sum", Page.FAULTS),
    Code("precision-loss", Page.FAULTS),
    Code("special-values", Page.FAULTS),
    Code("stop-gradient", Page.FAULTS),
    Code("out-of-graph", Page.FAULTS),
    # The framework says it.
    Code("detached", Page.PROPERTIES, noted=True),
    Code("none-gradient", Page.FAULTS, noted=True),
    Code("once-differentiable", Page.FAULTS, noted=True),
    Code("backward-raised", Page.FAULTS),
    Code("gradient-count", Page.FAULTS),
    Code("stale-saved-tensor", Page.FAULTS),
    Code("shape-mismatch", Page.FAULTS),
    Code("dtype-mismatch", Page.FAULTS),
    Code("device-mismatch", Page.FAULTS),
    # The values are right, and a property does not hold.
    Code("mutated-input", Page.FAULTS, explains=True),
    Code("mutated-cotangent", Page.FAULTS, explains=True),
    Code("accumulates", Page.FAULTS, explains=True),
    Code("linear-backward", Page.FAULTS),
    Code("nondeterministic-backward", Page.FAULTS),
    Code("undefined-cotangents", Page.FAULTS),
    Code("frozen-inputs", Page.FAULTS),
    Code("zero-size-inputs", Page.FAULTS),
    Code("non-contiguous-inputs", Page.FAULTS),
    Code("non-contiguous-cotangents", Page.FAULTS),
    Code("expanded-inputs", Page.FAULTS),
    Code("expanded-cotangents", Page.FAULTS),
    Code("conjugated-inputs", Page.FAULTS),
    Code("conjugated-cotangents", Page.FAULTS),
    Code("batched-cotangents", Page.FAULTS),
    Code("vmap", Page.FAULTS),
    Code("forward-mode", Page.FAULTS),
)

_SENTENCES = {code.name: code.sentence for code in CODES if code.sentence}

SILENT = frozenset(code.name for code in CODES if code.silences)
EXPLAINS = frozenset(code.name for code in CODES if code.explains)
VAGUE = frozenset(code.name for code in CODES if code.vague)
NOTED = frozenset(code.name for code in CODES if code.noted)


def fixed(code: str) -> Diagnosis:
    """Return the diagnosis of a code whose sentence is always the same."""
    return Diagnosis(code, _SENTENCES[code])
