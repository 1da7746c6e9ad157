"""Frameworks are found by entry points, and loaded when something of theirs may have been met."""

import subprocess
import sys

import numpy as np
import pytest
import torch

from pytest_gradcheck.frameworks import registry


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (1.0, "numpy"),
        (1j, "numpy"),
        (np.float32(1), "numpy"),
        (np.zeros(2, int), "numpy"),
        (torch.zeros(2), "torch"),
        (torch.nn.Parameter(torch.zeros(2)), "torch"),
        (1, None),
        (True, None),
        ("a", None),
        (None, None),
        ([1.0], None),
        (torch.nn.Linear(1, 1), None),
    ],
    ids=repr,
)
def test_a_value_is_owned_by_one_framework_or_none(value, name):
    for _ in range(2):
        owner = registry.owner(value)
        assert (owner and owner.name) == name


def test_modules_are_taken_apart_by_their_framework():
    linear = torch.nn.Linear(2, 1)
    framework, parts = registry.parts_of(linear)
    assert framework.name == "torch"
    assert parts == {"weight": linear.weight, "bias": linear.bias}
    assert registry.parts_of(np.zeros(2)) is None


def test_classes_of_a_function_are_not_kept_alive():
    class Local:
        pass

    registry.owner(Local())
    assert Local not in registry._owners


def run(code):
    subprocess.run([sys.executable, "-c", code], check=True)


def test_names_load_nothing():
    run(
        "import sys\n"
        "from pytest_gradcheck.frameworks import registry\n"
        "assert registry.names()[0] == 'numpy' and 'torch' in registry.names()\n"
        "assert not {'numpy', 'torch', 'pytest_gradcheck.frameworks.torch'} & set(sys.modules)"
    )


def test_a_strategy_for_tensors_knows_their_dtypes_without_torch():
    run(
        "import sys\n"
        "from pytest_gradcheck import distinct, tensors\n"
        "tensors(3, 'bfloat16', layout='expanded'), distinct(3, library='torch')\n"
        "assert 'torch' not in sys.modules"
    )


def test_the_names_of_the_lowering_are_those_of_the_framework_that_has_one():
    from pytest_gradcheck import lowering
    from pytest_gradcheck.frameworks.torch import lowering as of_torch

    assert lowering.__all__ == of_torch.__all__
    assert set(lowering.__all__) <= set(dir(lowering))
    assert all(getattr(lowering, name) is getattr(of_torch, name) for name in lowering.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = lowering.nothing
    names = {}
    exec("from pytest_gradcheck.lowering import *", names)
    assert names["register"] is of_torch.register


def test_a_framework_whose_library_is_not_there_has_nothing_to_release(monkeypatch):
    """A project without JAX may ask for JAX's framework by name, for what a strategy says of it."""

    class Absent:
        name = "no_such_library"

        def release(self):
            raise ModuleNotFoundError(self.name)

    monkeypatch.setattr(registry, "_loaded", [Absent()])
    registry.release()
