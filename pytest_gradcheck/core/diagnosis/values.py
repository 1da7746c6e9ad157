"""Diagnose from right and wrong values: a stable code and a sentence."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from pytest_gradcheck.core import thresholds
from pytest_gradcheck.core.diagnosis import codes
from pytest_gradcheck.core.results import Diagnosis
from pytest_gradcheck.frameworks.flat import Layout, Leaf
from pytest_gradcheck.methods.roles import gradient_of

#: The most digits of a factor in a message.
DIGITS = 6


def diagnose(
    wrong: Any,
    right: Any,
    bad: Any,
    culprit: str,
    inputs: Layout,
    notes: Sequence[tuple[str, str]],
    outputs: Sequence[str | None],
    alive: Any,
    imaginary: Any = None,
    bars: Any = 0.0,
) -> Diagnosis:
    """Diagnose how a method's rows differ from the right ones.

    ``wrong`` and ``right`` have shape ``(rows, inputs.size)``, ``bad`` marks the entries that differ;
    ``notes`` are the method's own observations (``detached``, ``none-gradient``, …), ``outputs`` the output
    that each row belongs to, None for a row that mixes several. ``alive``, of shape ``(inputs.size,)``, marks
    the entries that are not zero for every output, these rows' or others'. ``imaginary``, of shape
    ``(rows,)``, marks the rows of imaginary parts alone; None if there are none. ``bars`` are those of the
    differences of the two.
    """
    who = gradient_of(culprit)
    columns = np.flatnonzero(bad.any(axis=0))
    one_entry = inputs.size > 1 and len(columns) == 1
    hit = inputs.leaf_of(int(columns[0]) if len(columns) else 0)
    living = alive[hit.start : hit.stop]
    where = place(columns, inputs)
    if not np.isfinite(wrong[bad]).all():
        return Diagnosis("non-finite-gradient", f"{who} is nan or inf although finite differences are finite")
    if not wrong[bad].any():
        for code, text in notes:
            if code in codes.NOTED:
                return Diagnosis(code, f"{text}, but the function depends on it")
        if one_entry and living.any():
            return Diagnosis("one-entry", f"{who} is zero in one entry{where}")
        return Diagnosis("zero-gradient", f"{who}{where} is zero but should not be")
    if _is_conjugate(wrong, right, bad, inputs):
        convention = "".join(f"; {text}" for code, text in notes if code == "convention")
        return Diagnosis("conjugate", f"{who} is the complex conjugate of the correct one{where}{convention}")
    if imaginary is not None and _is_of_conjugate(wrong, right, bad, inputs, imaginary):
        text = "right for the real part of the output, and of the wrong sign for the imaginary part"
        return Diagnosis("conjugate", f"{who} is that of the conjugate cotangent{where}: {text}")
    usable = bad & np.isfinite(right)
    w, r = wrong[usable], right[usable]
    norm = float(r @ r)
    if norm > 0:
        some = f"{_in_some(right, bad, inputs)}{where}"
        factor = float(w @ r) / norm
        known = np.broadcast_to(bars, bad.shape)[usable]
        near = np.abs(w - factor * r) <= known
        # If bars are wide compared with every error, no factor can be determined.
        near &= (known <= thresholds.TELLING_BAR * np.abs(w - r)).any()
        if is_close(w[~near], factor * r[~near], float(np.abs(w).max())) and factor != 0:
            digits = _digits(known, r) if near.any() else DIGITS
            # A single entry is a multiple of anything; only a few factors are worth a guess.
            if abs(factor + 1) < thresholds.ROUND_FACTOR:
                return Diagnosis("sign", f"{who} has the wrong sign{some}")
            alone = one_entry and living.sum() > 1
            if not alone and (usable.sum() > 1 or _is_round(factor)):
                multiple = _multiple(_number(factor, digits))
                return Diagnosis("constant-factor", f"{who} is {multiple} the correct one{some}")
    for leaf in inputs.leaves:
        part = slice(leaf.start, leaf.stop)
        square = len(leaf.shape) == 2 and leaf.shape[0] == leaf.shape[1]
        if square and not leaf.is_complex and bad[:, part].any():
            turned = right[:, part].reshape(-1, *leaf.shape).swapaxes(1, 2).reshape(len(right), -1)
            if is_close(wrong[:, part], turned, float(np.abs(turned).max())):
                return Diagnosis("transposed", f"{who} for {leaf.name} is transposed")
        if bad[:, part].any() and _is_transpose(wrong[:, part], right[:, part]):
            return Diagnosis("transposed", f"{who} for {leaf.name} is transposed")
        if bad[:, part].sum() > 1 and _permuted(wrong[:, part], right[:, part]):
            return Diagnosis("permuted", f"{who} for {leaf.name} has the right values in the wrong places")
    if one_entry:
        return Diagnosis("one-entry", f"{who} is wrong in one entry{where}")
    if row := _row(columns, hit):
        return Diagnosis("one-row", f"{who} is wrong at {row} only")
    names = {name for name, wrong_here in zip(outputs, bad.any(axis=1), strict=False) if wrong_here}
    if len(names) == 1 and len(set(outputs)) > 1 and None not in outputs:
        return Diagnosis("one-output", f"{who} is wrong for {names.pop()} only")
    if len(inputs.leaves) > 1 and where:
        return Diagnosis("one-input", f"{who} is wrong{where} only")
    number = int(bad.sum())
    every = "all " if number == bad.size else ""
    entries = "1 entry" if number == 1 else f"{every}{number} entries"
    return Diagnosis("wrong-values", f"{who} differs from the other methods in {entries}")


def _is_conjugate(wrong: Any, right: Any, bad: Any, inputs: Layout) -> bool:
    """Whether the gradient of every complex input that is wrong is the conjugate of the right one.

    For the imaginary part of an output it is minus the conjugate, since the cotangent is imaginary too. A
    single real or imaginary number is not enough.
    """
    hit = [leaf for leaf in inputs.leaves if bad[:, leaf.start : leaf.stop].any()]
    conjugate = False
    for leaf in hit:
        if not leaf.is_complex:
            return False
        w = np.ascontiguousarray(wrong[:, leaf.start : leaf.stop]).view(np.complex128)
        r = np.ascontiguousarray(right[:, leaf.start : leaf.stop]).view(np.complex128)
        if not (np.isfinite(w).all() and np.isfinite(r).all()):
            return False
        size = float(np.abs(r).max())
        # Where nothing was measured, the right number is taken to be the one on trial.
        known = w != r
        for given, turned, mask in zip(w, r.conj(), known, strict=True):
            if not any(is_close(given[mask], sign * turned[mask], size) for sign in (1, -1)):
                return False
        least = thresholds.TELLING_PART * (thresholds.SAME_ATOL * size)
        conjugate |= bool(((np.abs(r.real) > least) & (np.abs(r.imag) > least))[known].any())
    return conjugate


def _is_of_conjugate(wrong: Any, right: Any, bad: Any, inputs: Layout, imaginary: Any) -> bool:
    """Whether the gradient with respect to real inputs is that of the conjugate of the cotangent.

    For a real cotangent it is right, and for an imaginary one it has the wrong sign. A single row is not
    enough.
    """
    hit = [leaf for leaf in inputs.leaves if bad[:, leaf.start : leaf.stop].any()]
    if any(leaf.is_complex for leaf in hit) or bad[~imaginary].any():
        return False
    columns = np.concatenate([np.arange(leaf.start, leaf.stop) for leaf in hit])
    w, r = wrong[:, columns], right[:, columns]
    size = float(np.abs(r).max())
    telling = np.abs(r[~imaginary]).max(initial=0.0) > thresholds.VISIBLE_ENTRY * size
    return bool(telling) and is_close(w[imaginary], -r[imaginary], size)


def _in_some(right: Any, bad: Any, inputs: Layout) -> str:
    """Add "in some entries" if other entries of the same inputs are nonzero and right."""
    for leaf in inputs.leaves:
        part = slice(leaf.start, leaf.stop)
        others = right[:, part][~bad[:, part]]
        least = thresholds.VISIBLE_ENTRY * np.abs(right[:, part]).max(initial=0.0)
        if bad[:, part].any() and (np.abs(others) > least).any():
            return " in some entries"
    return ""


def is_odd_multiple(wrong: Any, right: Any, bad: Any) -> bool:
    """Whether a factor is unlikely in hand-written code, such as 188.5.

    At one point a gradient that lacks a term may be such a multiple, if few entries are nonzero.
    """
    usable = bad & np.isfinite(right)
    w, r = wrong[usable], right[usable]
    return not _is_round(float(w @ r) / float(r @ r))


def place(columns: Any, inputs: Layout) -> str:
    """Name the input to which the wrong entries are confined, if there are others."""
    hit = [leaf for leaf in inputs.leaves if ((columns >= leaf.start) & (columns < leaf.stop)).any()]
    if len(hit) == 1 and len(inputs.leaves) > 1:
        return f" for {hit[0].name}"
    if len(columns) == 1 and inputs.size > 1:
        name, index = inputs.locate(int(columns[0]))
        return f" at {name}{list(index)}"
    return ""


def _row(columns: Any, leaf: Leaf) -> str:
    """Name the row of an input, or slice along another axis, that holds all wrong entries, if any does."""
    if leaf.is_complex or len(leaf.shape) < 2 or columns[-1] >= leaf.stop:
        return ""
    index = np.unravel_index(columns - leaf.start, leaf.shape)
    for axis, at in enumerate(index):
        if leaf.shape[axis] > 1 and (at == at[0]).all():
            places = [":"] * len(leaf.shape)
            places[axis] = str(int(at[0]))
            return f"{leaf.name}[{', '.join(places)}]"
    return ""


def led_by(wrong: Any, right: Any, bad: Any, inputs: Layout) -> tuple[Any, Any]:
    """Return which entries have errors of the size of the largest, and the errors of those that differ.

    Errors are measured by the largest entry of the right gradient for that input.
    """
    share = np.zeros(bad.shape)
    for leaf in inputs.leaves:
        part = slice(leaf.start, leaf.stop)
        size = np.abs(right[:, part]).max(initial=0.0) or np.abs(wrong[:, part]).max(initial=0.0) or 1.0
        share[:, part] = np.abs(wrong[:, part] - right[:, part]) / size
    share[~bad] = 0.0
    return share >= thresholds.LED_BY * share.max(), share


def _is_transpose(wrong: Any, right: Any) -> bool:
    """Whether whole rows and columns are swapped: the rows of a square Jacobian, one per output entry."""
    square = right.ndim == 2 and right.shape[0] == right.shape[1] > 1
    return square and is_close(wrong, right.T, float(np.abs(right).max()))


def _permuted(wrong: Any, right: Any) -> bool:
    if not (np.isfinite(wrong).all() and np.isfinite(right).all()) or np.unique(right).size < 2:
        return False
    size = float(np.abs(right).max())
    return is_close(np.sort(wrong, axis=1), np.sort(right, axis=1), size)


def _is_round(factor: float) -> bool:
    return any(_is_whole(f) and 1 < abs(round(f)) <= thresholds.LARGEST_FACTOR for f in (factor, 1 / factor))


def _is_whole(factor: float) -> bool:
    # One over a factor below the normal numbers is infinite.
    return math.isfinite(factor) and abs(factor - round(factor)) < thresholds.ROUND_FACTOR * abs(factor)


def is_close(a: Any, b: Any, size: float, atol: float = thresholds.SAME_ATOL) -> bool:
    """Whether two gradients with the largest entry ``size`` are equal within their errors."""
    return bool(np.allclose(a, b, rtol=thresholds.SAME_RTOL, atol=atol * size))


def is_multiple(wrong: Any, right: Any, bad: Any) -> bool:
    """Whether wrong entries are one multiple of the right ones, to five digits."""
    w, r = wrong[bad], right[bad]
    with np.errstate(divide="ignore", invalid="ignore"):
        factor = float(w @ r) / float(r @ r)
    return bool(np.isfinite(factor)) and is_close(w, factor * r, float(np.abs(w).max(initial=0.0)))


def _digits(bars: Any, right: Any) -> int:
    """Return how many digits of a factor the error bars allow."""
    largest = int(np.argmax(np.abs(right)))
    with np.errstate(divide="ignore"):
        return int(np.clip(-np.log10(bars[largest] / np.abs(right[largest])), 2, DIGITS))


def _multiple(number: str) -> str:
    """Return ``"half"``, ``"twice"``, or how many times."""
    return {"1/2": "half", "2": "twice"}.get(number, f"{number} times")


def _number(factor: float, digits: int) -> str:
    if not _is_round(factor):
        return f"{factor:.{digits}g}"
    if _is_whole(factor):
        return str(round(factor))
    return f"{'-' if factor < 0 else ''}1/{abs(round(1 / factor))}"
