"""Predictions of signals against draws: known answers, prediction intervals and errors."""

import numpy as np
import pytest
import torch
from torch import nn

from initsk import initialize
from initsk.diagnosis import predict_signal
from initsk.exceptions import InvalidParameterError, ModuleError
from initsk.initializers import Centered, Constant, VarianceScaling
from initsk.network import MLP
from tests.helpers import batch, build

CENTRED = Centered(VarianceScaling(16.0, distribution="orthogonal"))


@pytest.mark.parametrize(
    ("activation", "initializer"),
    [("tanh", "he_normal"), ("gelu", "auto"), ("sigmoid", CENTRED),
     *(pytest.param(*case, marks=pytest.mark.slow) for case in (
         ("tanh", "orthogonal"), ("tanh", "edge_of_chaos"), ("tanh", "torch_default"), ("sigmoid", "he_normal"),
     ))],
    ids=str,
)  # fmt: skip
def test_draws_lie_in_their_prediction_intervals(activation, initializer):
    width, draws = 100, 60
    module = build(lambda: MLP(width, width, (width,) * 3, activation=activation))
    x = batch(1, width)
    frame = predict_signal(module, initializer, input_square=float(x.square().mean()))
    rows = frame.set_index(["layer", "position"])
    outside = 0
    for seed in range(draws):
        initialize(module, initializer, random_state=seed)
        with torch.no_grad():
            signal = x
            for depth in (1, 2, 3):
                hidden = module.get_submodule(f"hidden_{depth}")(signal)
                signal = module.get_submodule(f"activation_{depth}")(hidden)
                row = rows.loc[(f"hidden_{depth}", "activation")]
                outside += not row["forward_low"] <= float(signal.square().mean()) <= row["forward_high"]
    # 1.8 of 180 are expected outside; layers of one draw are alike, so that 12 are reached once in some thousand cases.
    assert outside < 12


def test_predictions_from_weights_and_from_an_initializer_agree():
    module = build(lambda: MLP(300, 10, (300,), activation="relu"))
    initialize(module, "he_normal", random_state=0)
    drawn, formula = predict_signal(module), predict_signal(module, "he_normal")
    np.testing.assert_allclose(drawn["forward"], formula["forward"], rtol=0.2)
    assert formula["forward"].tolist() == pytest.approx([2.0, 1.0, 2.0])
    initialize(module, Constant(0.0))
    assert (predict_signal(module)["forward"] == 0).all()


class Odd(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(3, 3)

    def forward(self, x, *, factor):
        return factor * self.layer(x)


@pytest.mark.parametrize(
    ("make", "arguments", "error", "words"),
    [
        (Odd, {}, ModuleError, "predict_signal found no input with which Odd runs"),
        (lambda: MLP(4, 2), {"input_square": -1.0}, InvalidParameterError, "input_square=-1.0 is not allowed"),
        (lambda: MLP(4, 2), {"initializer": "lsuv"}, ModuleError, "'lsuv' depends on measured values"),
        (lambda: MLP(4, 2), {"initializer": torch.nn.init.normal_}, ModuleError, "states no variance for hidden_1"),
        (lambda: MLP(4, 2), {"confidence": 1}, InvalidParameterError, "confidence=1 is not allowed"),
        (lambda: MLP(4, 2), {"initializer": "ones"}, ModuleError, "zero-mean weights, but those of 'ones' have mean 1"),
    ],
    ids=["input", "square", "lsuv", "function", "confidence", "ones"],
)
def test_networks_and_arguments_without_a_prediction(make, arguments, error, words):
    with pytest.raises(error, match=words):
        predict_signal(build(make), **arguments)


@pytest.mark.filterwarnings("error")
def test_complex_weights_are_predicted_by_their_absolute_values():
    module = build(lambda: nn.Sequential(*(nn.Linear(64, 64, bias=False, dtype=torch.cfloat) for _ in range(2))))
    x = torch.complex(batch(500, 64), batch(500, 64, seed=1))
    squares = [part.detach().abs().square().mean().item() for part in (module[0](x), module(x))]
    np.testing.assert_allclose(predict_signal(module, X=x)["forward"], squares, rtol=0.1)
