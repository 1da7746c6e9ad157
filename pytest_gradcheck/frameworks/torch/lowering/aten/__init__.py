"""ATen operation to engine code: the table, by family.

Each family is a module with a dictionary from ATen name to a function on arrays. The function gets the
operation's arguments as the schema has them, with arrays or engine tensors for tensors and NumPy dtypes for
dtypes, and without those that only say where and how memory is allocated. It is written with NumPy's
functions and operators, which the reference engine differentiates. Results that only torch's backward needs
may be None.
"""

from __future__ import annotations

from typing import Any

import torch

from pytest_gradcheck.frameworks.torch.lowering.aten import (
    elementwise,
    fft,
    index,
    linalg,
    nn,
    reduce,
    shape,
    special,
)
from pytest_gradcheck.frameworks.torch.lowering.tape import Entry


def _running_statistics(args: tuple[Any, ...]) -> tuple[torch.Tensor, ...]:
    running_mean, running_var, training = args[3:6]  # without `training`, momentum, which is not 0
    return (running_mean, running_var) if training and running_mean is not None else ()


def table() -> dict[str, Entry]:
    """The whole table."""
    families = (elementwise, special, reduce, shape, index, linalg, fft, nn)
    entries = {name: Entry(rule) for family in families for name, rule in family.RULES.items()}
    entries |= {name: Entry(rule, recorded=True) for name, rule in nn.RECORDED.items()}
    entries |= {name: Entry(rule, hidden_writes=_running_statistics) for name, rule in nn.BATCH_NORM.items()}
    entries["rrelu_with_noise"] = Entry(nn.rrelu, recorded=True, hidden_writes=lambda args: (args[1],))
    return entries
