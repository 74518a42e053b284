"""Predicted mean squares of signals against draws and published values."""

import pytest
import torch

from initsk import theory
from initsk.theory import SignalLayer


@pytest.mark.parametrize(
    ("activation", "weight_variance"), [("relu", 2.0), ("tanh", 1.5), pytest.param("selu", 1.0, marks=pytest.mark.slow)]
)
@pytest.mark.parametrize("orthogonal", [False, True])
def test_draws_lie_in_the_prediction_interval(activation, weight_variance, orthogonal):
    width, depth, draws = 100, 4, 300
    function = {"relu": torch.relu, "tanh": torch.tanh, "selu": torch.selu}[activation]
    layer = SignalLayer(activation, width, width, weight_variance / width, orthogonal=orthogonal)
    signal = theory.forward_signal([layer] * depth, 1.0)
    spreads = theory.forward_spread([layer] * depth, 1.0)
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(draws, width, generator=generator)
    x = x / x.square().mean(1, keepdim=True).sqrt()
    scale = (weight_variance / width) ** 0.5
    for (_, square), (_, spread) in zip(signal, spreads, strict=True):
        weights = torch.randn(draws, width, width, generator=generator)
        if orthogonal:
            q, r = torch.linalg.qr(weights)
            weights = q * r.diagonal(dim1=1, dim2=2).sign()[:, None, :] * width**0.5
        x = function(scale * torch.einsum("dij,dj->di", weights, x))
        low, high = theory.prediction_interval(square, spread)
        squares = x.square().mean(1)
        outside = int(((squares < low) | (squares > high)).sum())
        # 3 of 300 draws are expected outside; 12 or more happen by chance in one of 15,000 tests.
        assert outside < 12
        # The interval is no wider than needed: the variance itself, with five standard errors.
        assert squares.log().var().item() == pytest.approx(spread, rel=5 * (2 / draws) ** 0.5)


def test_scatter_adds_up_with_depth_and_falls_with_width():
    # Hanin and Rolnick 2018, theorem 5: for ReLU the variance is the sum of 5 / n.
    def spread(depth, width):
        return theory.forward_spread([SignalLayer("relu", width, width, 2 / width)] * depth, 1.0)[-1][1]

    assert spread(40, 1000) == pytest.approx(40 * 5 / 1000, rel=0.01)
    assert spread(20, 500) == pytest.approx(spread(40, 1000), rel=0.01)
    back = theory.backward_spread([SignalLayer("relu", 1000, 1000, 2 / 1000)] * 41, [2.0] * 41)
    assert back[0][0] == pytest.approx(40 * 5 / 1000, rel=0.01)
    assert back[-1] == (0.0, 0.0)
