"""Statistics of a layer: saturation of the activation function, and values of any magnitude."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812 - as users write it

from initsk import inspect_activations
from initsk.inspection import (
    LayerStatistics,
)
from tests.helpers import batch, build
from tests.inspection.support import Calls


class Doubled(nn.Tanh):
    """An activation function written by a user."""

    def forward(self, x):
        return 2 * torch.tanh(x) + 1


@pytest.mark.parametrize(
    ("activation", "share"),
    [
        (nn.Tanh(), lambda x: np.abs(np.tanh(x)) >= 0.95),
        (nn.Sigmoid(), lambda x: np.abs(1 / (1 + np.exp(-x)) - 0.5) >= 0.475),
        (nn.Hardtanh(-2, 3), lambda x: (x <= -1.9) | (x >= 2.85)),
        (nn.ELU(), lambda x: np.expm1(np.minimum(x, 0)) <= -0.95),
        (nn.ReLU6(), lambda x: x >= 5.7),
        (nn.ReLU(), None),
        (nn.GELU(), None),
        (nn.SiLU(), None),
        (nn.LeakyReLU(), None),
    ],
    ids=lambda value: type(value).__name__,
)
def test_saturation_by_the_functions_own_range(activation, share):
    x = batch(4000, 1) * 4
    net = build(lambda: nn.Sequential(nn.Linear(1, 1, bias=False), activation))
    nn.init.ones_(net[0].weight)
    expected = np.nan if share is None else share(x.double().numpy()).mean()
    frame = inspect_activations(net, x).to_frame()
    assert frame["saturated_fraction"].tolist() == pytest.approx([np.nan, expected], abs=1e-3, nan_ok=True)


def test_statistics_with_values_beyond_single_precisions_squares():
    rows = batch(100, 4)
    ordinary = LayerStatistics().update(rows).to_row()
    for factor in (2.0**90, 2.0**-90):
        row = LayerStatistics().update(rows * factor).to_row()
        for name in ("effective_rank", "participation_ratio", "mean_cosine", "kurtosis", "copied_fraction"):
            assert row[name] == pytest.approx(ordinary[name], rel=1e-4), name


@pytest.mark.parametrize(
    ("function", "share"),
    [
        (lambda x: F.hardtanh(x, -2, 2), 3 / 5),  # -1.9 and less, 1.9 and more
        (lambda x: F.hardtanh(x, min_val=-8.0, max_val=2.0), 3 / 5),
        (torch.special.expit, 3 / 5),  # sigmoid(3) = 0.953 is 90 % of the way from 0.5 to 1
        (lambda x: F.elu(x, 5.0), 1 / 5),  # expm1(-3) = -0.950
        (F.leaky_relu, np.nan),
        (F.softplus, 1 / 5),  # softplus(-9) = 0.0001, of log(2) at zero
    ],
)
def test_saturation_of_functions_with_arguments(function, share):
    X = torch.tensor([[-9.0], [-1.0], [0.0], [2.0], [9.0]])
    if function is torch.special.expit:
        X = torch.tensor([[-9.0], [-4.0], [0.0], [3.0], [9.0]])
    found = inspect_activations(Calls(function), X).to_frame()["saturated_fraction"].tolist()
    assert found == pytest.approx([np.nan, share], nan_ok=True)


def test_saturation_of_a_users_module():
    net = nn.Sequential(Calls(), Doubled())
    net[0].functions = (lambda x: x + 0.0,)
    X = torch.tensor([[-9.0], [-1.0], [0.0], [2.0]])  # tanh(2) = 0.964
    assert inspect_activations(net, X).to_frame()["saturated_fraction"].iloc[-1] == 1 / 2
