"""PyPose: exponentials, logarithms, products and actions of Lie groups with hand-written backwards.

Its gradient by an element of a group lies in the tangent space. So every function here begins in the Lie
algebra and ends with numbers that stand for themselves.
"""

import pytest
import torch
from hypothesis import example
from outside import MARKS, assert_fault, outside

from pytest_gradcheck import Verdict, check_gradients, tensors

pypose = outside("pypose")

pytestmark = MARKS

POINT = torch.tensor([0.3, -1.2, 0.7], dtype=torch.float64)
OTHER = torch.tensor([0.2, 0.7, -0.4, 0.1, -0.6, 0.3], dtype=torch.float64)

GROUPS = {"so3": 3, "rxso3": 4, "se3": 6}


def algebra(name, x):
    """The first entries of six numbers as an element of the algebra."""
    return getattr(pypose, name)(x[: GROUPS[name]])


def vectors():
    # The norm stays below π, where the logarithm jumps.
    return tensors(6, min_value=-1, max_value=1)


# The vmap rule that is declared raises, see below.
WITHOUT_VMAP = {"properties": ("-vmap",)}


@pytest.mark.gradcheck(x=vectors(), **WITHOUT_VMAP)
@pytest.mark.parametrize("function", GROUPS)
def test_action(function, x):
    return algebra(function, x).Exp().Act(POINT)


@pytest.mark.gradcheck(x=vectors(), **WITHOUT_VMAP)
@pytest.mark.parametrize("function", GROUPS)
def test_inverse_action(function, x):
    return algebra(function, x).Exp().Inv().Act(POINT)


@pytest.mark.gradcheck(x=vectors(), **WITHOUT_VMAP)
@pytest.mark.parametrize("function", GROUPS)
def test_logarithm_of_a_product(function, x):
    return (algebra(function, x).Exp() * algebra(function, 0.3 * OTHER).Exp()).Log().tensor()


@pytest.mark.gradcheck(x=vectors(), **WITHOUT_VMAP)
@pytest.mark.parametrize("function", GROUPS)
@example(x=torch.tensor([3e-200, 0.001, 0.0, 7e-200, -1e-200, 3e-08], dtype=torch.float64))
def test_adjoint(function, x):
    return algebra(function, x).Exp().Adj(algebra(function, OTHER)).tensor()


def test_transposed_adjoint_of_rotations():
    x = torch.tensor([0.3, -0.2, 0.5], dtype=torch.float64)
    result = check_gradients(
        lambda x: pypose.so3(x).Exp().AdjT(pypose.so3(OTHER[:3])).tensor(), (x,), **WITHOUT_VMAP
    )
    assert result.verdict is Verdict.PASS


# A fault: AdjT of se3 and sim3 takes the adjoint of the group for orthogonal. For a translation t without
# rotation, AdjT maps (τ, φ) to (τ - t × φ, φ); its derivative with respect to t[0] has the entry φ[2] in the
# second place.
def test_transposed_adjoint_of_se3_is_wrong():
    def adjoint(t):
        element = pypose.se3(torch.cat([t, torch.zeros(3, dtype=t.dtype)])).Exp()
        return element.AdjT(pypose.se3(OTHER)).tensor()

    t = torch.tensor([0.3, -0.2, 0.5], dtype=torch.float64)
    tau, phi = OTHER[:3], OTHER[3:]
    torch.testing.assert_close(adjoint(t)[:3], tau - torch.linalg.cross(t, phi))
    jacobian = torch.autograd.functional.jacobian(adjoint, t)
    assert jacobian[1, 0] != pytest.approx(phi[2].item(), abs=0.1)
    assert_fault(check_gradients(adjoint, (t,)), "wrong-values")


# A fault: the Jacobian of the exponential of sim3 is a series that is cut off after the fifth power.
# Where x turns by one radian around the third axis, the point (1, 0, 0) comes to (cos 1, sin 1, 0);
# moving the translation by one moves it by sin(1) = 0.8414710 in the entry [0, 0] of the Jacobian, and
# the series says 0.8416667.
def test_exponential_of_sim3_is_wrong():
    def action(x):
        return pypose.sim3(x).Exp().Act(torch.tensor([1.0, 0.0, 0.0], dtype=x.dtype))

    x = torch.tensor([0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0], dtype=torch.float64)
    jacobian = torch.autograd.functional.jacobian(action, x)
    assert jacobian[0, 0].item() == pytest.approx(0.8416667, abs=1e-7)
    assert_fault(check_gradients(action, (x,)), "wrong-values")


# A fault: generate_vmap_rule = True says that torch may map the Function, and its forward cannot be mapped.
@pytest.mark.parametrize("function", GROUPS)
def test_declared_vmap_rule_raises(function):
    result = check_gradients(lambda x: algebra(function, x).Exp().Act(POINT), (0.5 * OTHER,))
    assert_fault(result, "vmap")
    with pytest.raises(RuntimeError, match="vmap"):
        torch.func.vmap(lambda x: algebra(function, x).Exp().tensor())(torch.stack([OTHER, OTHER]))
