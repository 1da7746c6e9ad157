"""Heat in a rod, and the adjoint: the gradient of the final misfit with respect to the conductivities.

PLANT_FAULT=1 reads the stored temperatures one step late in the backward pass, a common error.
"""

import os

import numpy as np
import pytest

from pytest_gradcheck import arrays

PLANT_FAULT = os.environ.get("PLANT_FAULT") == "1"

CELLS, STEPS, DT = 5, 3, 0.2
MEASURED = np.linspace(0.0, 1.0, CELLS)


def trajectory(conductivity, start):
    """Temperatures before each step and after the last. Each step adds dt times the net flow."""
    temperatures = [start]
    for _ in range(STEPS):
        u = temperatures[-1]
        flux = conductivity * (u[1:] - u[:-1])
        insulated = np.zeros(1)
        temperatures.append(u + DT * np.diff(np.concatenate([insulated, flux, insulated])))
    return temperatures


def misfit(conductivity, start):
    return 0.5 * np.sum((trajectory(conductivity, start)[-1] - MEASURED) ** 2)


def misfit_gradient(conductivity, start):
    """The adjoint: the transposed steps in reverse order, starting from the final misfit."""
    temperatures = trajectory(conductivity, start)
    adjoint = temperatures[-1] - MEASURED
    by_conductivity = np.zeros_like(conductivity)
    for step in reversed(range(STEPS)):
        u = temperatures[step]
        if PLANT_FAULT:
            u = temperatures[step + 1]
        by_flux = -DT * np.diff(adjoint)
        by_conductivity += by_flux * (u[1:] - u[:-1])
        through = conductivity * by_flux
        adjoint = adjoint + np.concatenate([[0.0], through]) - np.concatenate([through, [0.0]])
    return by_conductivity, adjoint


@pytest.mark.gradcheck(
    conductivity=arrays(CELLS - 1, min_value=0.1, max_value=1),
    start=arrays(CELLS, min_value=-1, max_value=2),
    gradient=misfit_gradient,
)
def test_misfit(conductivity, start):
    return misfit(conductivity, start)


def test_a_step_against_the_gradient_lowers_the_misfit():
    conductivity, start = np.full(CELLS - 1, 0.5), np.cos(np.arange(CELLS))
    by_conductivity, by_start = misfit_gradient(conductivity, start)
    later = misfit(conductivity - 0.01 * by_conductivity, start - 0.01 * by_start)
    assert later < misfit(conductivity, start)
