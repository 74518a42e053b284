"""Networks made ill on purpose, and healthy ones that nobody may call ill."""

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.datasets import load_digits, load_iris
from torch import nn

from initsk import MLPClassifier, initialize, inspect_activations
from initsk.initializers import RandomNormal, RandomUniform, Scaled
from initsk.inspection import Thresholds
from initsk.network import MLP
from tests.helpers import batch, build

X = batch(400, 32)
Y = torch.arange(400) % 4


def mlp(initializer, depth=6, activation="relu", change=None, seed=0, **arguments):
    net = build(lambda: MLP(32, 4, (48,) * depth, activation=activation, **arguments))
    initialize(net, initializer, random_state=seed)
    if change:
        with torch.no_grad():
            change(net)
    return net


def shift_biases(net):
    net.hidden_2.bias.fill_(-10.0)


def break_weight(net):
    net.hidden_3.weight[0, 0] = torch.nan


def copy_units(net):
    for layer in (net.hidden_2, net.hidden_3):
        layer.weight.copy_(layer.weight[:1].expand_as(layer.weight))


ILL = {
    "zeros": (lambda: mlp("zeros"), {}, {"symmetric", "dead"}),
    "ones": (lambda: mlp("ones", 2), {}, {"symmetric"}),
    "copies": (lambda: mlp("he_normal", change=copy_units), {}, {"symmetric"}),
    "small": (lambda: mlp(RandomNormal(0.01)), {}, {"vanishing"}),
    "large": (lambda: mlp(Scaled("he_normal", 4.0)), {}, {"exploding"}),
    "dead": (lambda: mlp("he_normal", change=shift_biases), {}, {"dead"}),
    "saturated": (lambda: mlp(Scaled("glorot_normal", 20.0), activation="tanh"), {}, {"saturated"}),
    "collapsed": (lambda: mlp("glorot_normal", activation="sigmoid"), {}, {"collapsed"}),
    "positive": (lambda: mlp(RandomUniform(0.0, 0.05), 3), {"data": X.abs()}, {"shifted mean"}),
    "NaN": (lambda: mlp("he_normal", change=break_weight), {}, {"non-finite"}),
    "backward": (lambda: mlp("glorot_normal", 12, "sigmoid"), {"y": Y, "gradients": True}, {"vanishing", "collapsed"}),
}


@pytest.mark.parametrize("name", ILL)
def test_the_ill_are_called_so(name):
    make, arguments, verdicts = ILL[name]
    arguments = {"data": X} | arguments
    table = inspect_activations(make(), arguments.pop("data"), **arguments).verdicts()
    assert verdicts <= set(table["verdict"])
    for row in table[table["verdict"].isin(verdicts)].itertuples():
        assert row.layer in row.evidence
        assert row.evidence.endswith(".")
        assert row.advice
        beyond = row.value < row.threshold if row.verdict in ("vanishing", "collapsed") else row.value >= row.threshold
        assert beyond


def test_the_layer_is_named():
    dead = inspect_activations(ILL["dead"][0](), X).verdicts().query("verdict == 'dead'")
    assert "hidden_2" in dead["layer"].tolist()
    assert "hidden_1" not in dead["layer"].tolist()
    symmetric = inspect_activations(ILL["copies"][0](), X).verdicts().query("verdict == 'symmetric'")
    assert symmetric["layer"].tolist() == ["hidden_2"]


class ZeroBranches(nn.Module):
    """Residual branches that begin at zero, after Fixup."""

    def __init__(self):
        super().__init__()
        self.inside = nn.ModuleList([nn.Linear(32, 32) for _ in range(4)])
        self.last = nn.ModuleList([nn.Linear(32, 32) for _ in range(4)])
        self.head = nn.Linear(32, 4)
        for layer in self.last:
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(self, x):
        for inside, last in zip(self.inside, self.last, strict=True):
            x = x + last(inside(x).relu())
        return self.head(x)


def zero_head(net):
    net.output.weight.zero_()


def trained(activation):
    images, labels = load_digits(return_X_y=True)
    return MLPClassifier((64, 32), activation=activation, max_epochs=10, random_state=0).fit(images / 16, labels)


def images():
    return load_digits().data.astype("float32") / 16


SEQUENCES = batch(40, 7, 32)
HEALTHY = {
    **{f"relu {d}": (lambda d=d: mlp("he_normal", d), X) for d in (1, 2, 5, 20)},
    "tanh": (lambda: mlp("glorot_normal", 10, "tanh"), X),
    "selu": (lambda: mlp("lecun_normal", 10, "selu"), X),
    "gelu": (lambda: mlp("auto", 5, "gelu"), X),
    "sigmoid": (lambda: mlp("glorot_normal", 2, "sigmoid"), X),
    "linear": (lambda: mlp("orthogonal", 10, "identity"), X),
    "torch's default": (lambda: build(lambda: MLP(32, 4, (48, 48))), X),
    "normalised, any scale": (lambda: mlp(RandomNormal(0.001), 6, normalization="layer_norm"), X),
    **{f"narrow, seed {s}": (lambda s=s: mlp("he_normal", 20, seed=s), X) for s in range(4)},
    "zero head": (lambda: mlp("he_normal", 3, change=zero_head), X),
    "zero branches": (lambda: build(ZeroBranches), X),
    "LSTM": (lambda: build(lambda: nn.LSTM(32, 16, batch_first=True)), SEQUENCES),
    "attention": (
        lambda: build(
            lambda: nn.TransformerEncoder(
                nn.TransformerEncoderLayer(32, 4, 64, batch_first=True), 3, enable_nested_tensor=False
            )
        ),
        SEQUENCES,
    ),
    "one layer": (lambda: build(lambda: nn.Linear(32, 4)), X),
    "trained relu": (lambda: trained("relu"), images),
    "trained tanh": (lambda: trained("tanh"), images),
    "iris as it comes": (lambda: build(lambda: MLP(4, 3, (16,))), lambda: load_iris().data),
}


@pytest.mark.parametrize("name", HEALTHY)
def test_the_healthy_are_called_so_and_nothing_else(name):
    make, data = HEALTHY[name]
    table = inspect_activations(make(), data() if callable(data) else data).verdicts()
    assert table["verdict"].tolist() == ["healthy"], table["evidence"].tolist()
    assert table[["layer", "advice"]].to_numpy().tolist() == [["", ""]]
    assert table[["value", "threshold"]].isna().all(axis=None)


@pytest.mark.parametrize("name", ["relu 5", "tanh", "zero head", "zero branches"])
def test_the_healthy_stay_so_with_gradients(name):
    make, data = HEALTHY[name]
    verdicts = inspect_activations(make(), data, Y, gradients=True).verdicts()["verdict"].tolist()
    assert verdicts == ["healthy"]


@pytest.mark.parametrize("name", [*ILL, "relu 2"])
@pytest.mark.parametrize("arguments", [{"positions": "activation"}, {"positions": "pre_activation"}, {"measures": ()}])
def test_with_less_measured_less_is_said(name, arguments):
    make = (ILL.get(name) or HEALTHY[name])[0]
    all_of_it = inspect_activations(make(), X).verdicts()
    less = inspect_activations(make(), X, **arguments).verdicts()
    assert set(less["verdict"]) <= set(all_of_it["verdict"]) | {"healthy", "vanishing", "exploding"}


def test_thresholds_are_parameters():
    summary = inspect_activations(mlp("he_normal", 3), X)
    frame = summary.to_frame().query("position == 'activation'")
    ratio = float((frame["rms"] / frame["rms"].iloc[0]).min())
    assert summary.verdicts(vanishing=ratio * 0.999)["verdict"].tolist() == ["healthy"]
    assert "vanishing" in summary.verdicts(vanishing=ratio * 1.001)["verdict"].tolist()
    with pytest.raises(ValueError, match="unknown threshold 'vanish'; did you mean 'vanishing'"):
        summary.verdicts(vanish=0.1)
    with pytest.raises(ValueError, match="dead='all' is not allowed"):
        summary.verdicts(dead="all")


def test_the_documentation_says_the_defaults():
    for name, value in vars(Thresholds()).items():
        assert f"{name} : float, default={value}" in Thresholds.__doc__


def test_few_samples_say_nothing_of_dead_units():
    net = ILL["dead"][0]()
    assert "dead" not in set(inspect_activations(net, X[:10]).verdicts()["verdict"])
    assert "dead" in set(inspect_activations(net, X[:10]).verdicts(min_samples=5)["verdict"])


def test_the_gravest_comes_first():
    def several(net):
        break_weight(net)
        net.hidden_1.bias.fill_(-10.0)

    table = inspect_activations(mlp("he_normal", change=several), X).verdicts()
    order = ["non-finite", "symmetric", "dead", "saturated", "collapsed", "vanishing", "exploding", "shifted mean"]
    ranks = table["verdict"].map(order.index)
    assert ranks.is_monotonic_increasing
    assert table["verdict"].iloc[0] == "non-finite"
    assert isinstance(table, pd.DataFrame)
    assert np.isfinite(table["value"]).all()
