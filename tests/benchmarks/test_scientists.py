"""The benchmark next to the checkers of scientists: ours is right in each case, and the page says so."""

from __future__ import annotations

import re

import pytest

from tests.benchmarks import scientists

FORMS = {
    "gradient": (scientists.gradients, scientists.FAULTS),
    "jacobian": (scientists.jacobians, scientists.OF_MATRICES),
    "hessian": (scientists.hessians, scientists.FAULTS),
}


@pytest.mark.parametrize("form", FORMS)
def test_right_ones_pass_and_each_fault_is_found(form):
    cases, faults = FORMS[form]
    check = scientists._ours(form)
    case = next(iter(cases(quick=True).values()))
    assert check(case).right is True
    for name, fault in faults.items():
        assert check(scientists._broken(case, fault)).right is False, name


def test_operators():
    for matrix in scientists.operators().values():
        adjoint = matrix.conj().T
        assert scientists._ours_on(matrix, adjoint).right is True
        for name, fault in scientists.OF_ADJOINTS.items():
            assert scientists._ours_on(matrix, fault(adjoint)).right is False, name


def test_in_other_units_and_with_fewer_digits():
    check = scientists._ours("gradient")
    for name, case in scientists.hard_gradients().items():
        assert check(case).right is True, name
        assert check(scientists._broken(case, scientists.FAULTS["1 % too large"])).right is False, name


def test_the_page_has_every_case_and_checker():
    page = scientists.PAGE.read_text(encoding="utf-8")
    assert page.startswith(scientists.HEAD)
    titles = re.findall(r"^### (.+)$", page, re.MULTILINE)
    cases = {**scientists.gradients(False), **scientists.jacobians(False), **scientists.hessians(False)}
    assert {title.partition(": ")[2] for title in titles} - {""} == {*cases, *scientists.operators()}
    for who in (
        "scipy check_grad",
        "autograd check_grads",
        "OpenMDAO check_partials",
        "numdifftools",
        "dottest",
    ):
        assert who in page
    # Ours passes what is right and finds what is wrong.
    ours = re.findall(r"^\| pytest-gradcheck[^|]*\| (\d) of (\d) \| (\d) of (\d) \|", page, re.MULTILINE)
    assert len(ours) == len(cases) + len(scientists.operators()) + len(scientists.hessians(False))
    assert all(a == b and c == d for a, b, c, d in ours)
