"""Findings in networks with a known fault, and none in healthy networks."""

import functools

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.datasets import load_digits, load_iris
from torch import nn

from initsk import MLPClassifier, initialize, inspect_activations
from initsk.initializers import RandomNormal, RandomUniform, Scaled
from initsk.inspection import THRESHOLDS, ActivationSummary, layer_thresholds
from initsk.network import MLP
from initsk.report import describe_findings
from tests.helpers import batch, build, params

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


FAULTY = {
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


@pytest.mark.parametrize("name", FAULTY)
def test_faults_are_found(name):
    make, arguments, kinds = FAULTY[name]
    arguments = {"data": X} | arguments
    summary = inspect_activations(make(), arguments.pop("data"), **arguments)
    table = describe_findings(summary)
    assert kinds <= set(table["kind"])
    pd.testing.assert_frame_equal(table.drop(columns=["evidence", "advice"]), summary.findings())
    for row in table[table["kind"].isin(kinds)].itertuples():
        assert row.layer in row.evidence
        assert row.evidence.endswith(".")
        assert row.advice
        beyond = row.value < row.threshold if row.kind in ("vanishing", "collapsed") else row.value >= row.threshold
        assert beyond
        assert row.decides == (row.kind in ("symmetric", "non-finite"))


def test_findings_name_the_layer():
    dead = inspect_activations(FAULTY["dead"][0](), X).findings().query("kind == 'dead'")
    assert "hidden_2" in dead["layer"].tolist()
    assert "hidden_1" not in dead["layer"].tolist()
    symmetric = inspect_activations(FAULTY["copies"][0](), X).findings().query("kind == 'symmetric'")
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
    "normalized, any scale": (lambda: mlp(RandomNormal(0.001), 6, normalization="layer_norm"), X),
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


@pytest.mark.parametrize("name", params(HEALTHY, slow={f"narrow, seed {s}" for s in (1, 2, 3)} | {"trained tanh"}))
def test_healthy_networks_have_no_findings(name):
    make, data = HEALTHY[name]
    summary = inspect_activations(make(), data() if callable(data) else data)
    findings = summary.findings()
    assert findings["kind"].tolist() == []
    text = pd.Series(["a"]).dtype  # pandas 3 has a type of its own for text
    assert findings.dtypes.to_dict() == {
        **dict.fromkeys(("layer", "kind", "of", "relative_to", "what"), text),
        **dict.fromkeys(("value", "threshold"), np.dtype("float64")),
        "decides": np.dtype("bool"),
    }
    assert summary.answer().startswith("No problems were found in the ")


@pytest.mark.parametrize("name", ["relu 5", "tanh", "zero head", "zero branches"])
def test_gradients_of_healthy_networks_have_no_findings(name):
    make, data = HEALTHY[name]
    assert inspect_activations(make(), data, Y, gradients=True).findings().empty


@functools.cache
def kinds_of_all_measures(name):
    make = (FAULTY.get(name) or HEALTHY[name])[0]
    return set(inspect_activations(make(), X).findings()["kind"])


@pytest.mark.parametrize("name", [*FAULTY, "relu 2"])
@pytest.mark.parametrize(
    "arguments",
    [
        {"positions": "activation"},
        {"measures": ()},
        pytest.param({"positions": "pre_activation"}, marks=pytest.mark.slow),
    ],
)
def test_fewer_measures_give_fewer_findings(name, arguments):
    make = (FAULTY.get(name) or HEALTHY[name])[0]
    fewer = inspect_activations(make(), X, **arguments).findings()
    assert set(fewer["kind"]) <= kinds_of_all_measures(name) | {"vanishing", "exploding"}


def test_thresholds_are_parameters():
    summary = inspect_activations(mlp("he_normal", 3), X)
    frame = summary.to_frame().query("position == 'activation'")
    ratio = float((frame["rms"] / frame["rms"].iloc[0]).min())
    assert summary.findings(vanishing=ratio * 0.999).empty
    assert "vanishing" in summary.findings(vanishing=ratio * 1.001)["kind"].tolist()
    with pytest.raises(ValueError, match="unknown threshold 'vanish'; did you mean 'vanishing'"):
        summary.findings(vanish=0.1)
    with pytest.raises(ValueError, match="dead='all' is not allowed"):
        summary.findings(dead="all")


def test_the_documentation_states_the_defaults():
    documented = " ".join(ActivationSummary.findings.__doc__.split())
    defaults = layer_thresholds({})
    assert defaults.keys() <= THRESHOLDS.keys()
    for kind, threshold in defaults.items():
        if kind != "non-finite":
            assert f"``{kind.replace(' ', '_')}`` ({threshold.value})" in documented


def test_dead_units_are_not_counted_in_few_samples():
    summary = inspect_activations(FAULTY["dead"][0](), X[:10])
    assert "dead" not in set(summary.findings()["kind"])
    assert "dead" in set(summary.findings(min_samples=5)["kind"])


def test_the_gravest_kind_comes_first():
    def several(net):
        break_weight(net)
        net.hidden_1.bias.fill_(-10.0)

    table = inspect_activations(mlp("he_normal", change=several), X).findings()
    order = ["non-finite", "symmetric", "dead", "saturated", "collapsed", "vanishing", "exploding", "shifted mean"]
    ranks = table["kind"].map(order.index)
    assert ranks.is_monotonic_increasing
    assert table["kind"].iloc[0] == "non-finite"
    assert isinstance(table, pd.DataFrame)
    assert np.isfinite(table["value"]).all()
