"""Needs of public reports about looking into networks; README.md has the reports."""

import io

import numpy as np
import pytest
import torch
from torch import nn

from initsk import audit, initialize, inspect_activations, network
from tests.helpers import Net, batch, build, hooks_of

TARGETS = torch.arange(40) % 3


def convolutions(inplace):
    layers = (nn.Conv2d(1, 3, 3), nn.ReLU(inplace=inplace), nn.Conv2d(3, 2, 3), nn.ReLU(inplace=inplace))
    return nn.Sequential(*layers, nn.Flatten(), nn.LazyLinear(3))


def perceptron(*middle):
    return nn.Sequential(nn.Linear(5, 6), *middle, nn.ReLU(), nn.Linear(6, 3))


def by_place(summary):
    return summary.to_frame().set_index(["layer", "position"])


def test_values_before_an_activation_function_in_place_are_its_inputs():
    model = build(lambda: nn.Sequential(nn.ReLU(inplace=True), nn.Linear(5, 3), nn.ReLU(inplace=True)))
    X = batch(40, 5)
    signal = model[1](X.clamp(min=0)).detach()
    frame = by_place(inspect_activations(model, X))
    assert frame.loc[("1", "pre_activation"), "min"] == pytest.approx(float(signal.min()), rel=1e-5)
    assert frame.loc[("1", "activation"), "min"] == 0


def test_activations_do_not_depend_on_whether_functions_work_in_place():
    X = batch(12, 1, 8, 8)
    frames = []
    for inplace in (True, False):
        model = build(lambda inplace=inplace: convolutions(inplace))
        initialize(model, "he_normal", X=X, random_state=0)
        frames.append(inspect_activations(model, X).to_frame().drop(columns="module"))
    assert frames[0].equals(frames[1])


def test_gradients_of_a_network_in_a_wrapper_are_measured():
    model = build(perceptron)
    inside = inspect_activations(model, batch(40, 5), TARGETS, gradients=True).parameters()
    outside = inspect_activations(nn.DataParallel(model), batch(40, 5), TARGETS, gradients=True).parameters()
    assert outside["name"].str.removeprefix("module.").tolist() == inside["name"].tolist()
    np.testing.assert_allclose(outside["gradient_norm"], inside["gradient_norm"], rtol=1e-5)
    assert (outside["gradient_norm"] > 0).all()


def test_histograms_of_gradients_in_half_precision():
    """The counts are those of all values."""
    model = build(perceptron).bfloat16()
    summary = inspect_activations(model, batch(40, 5).bfloat16(), TARGETS, gradients=True)
    histograms = summary.histograms().groupby(["layer", "position"])["count"].sum()
    counts = by_place(summary)["count"]
    assert (histograms == counts.reindex(histograms.index)).all()
    assert (summary.parameters()["gradient_norm"] > 0).all()


def test_a_lazy_network_stays_lazy_when_it_is_looked_at():
    model = build(lambda: nn.Sequential(nn.LazyLinear(6), nn.ReLU(), nn.LazyLinear(3)))
    frame = by_place(inspect_activations(model, batch(20, 5)))
    audit(model, batch(20, 5))
    assert frame["units"].tolist() == [6, 6, 3]
    assert network.read(model, batch(20, 5)).depth == 2
    assert all(isinstance(p, nn.parameter.UninitializedParameter) for p in model.parameters())


def test_a_recurrent_layer_that_returns_a_tuple_is_measured():
    def forward(self, x):
        return self.head(self.lstm(x)[0][:, -1])

    model = build(lambda: Net(forward, lstm=nn.LSTM(5, 4, batch_first=True), head=nn.Linear(4, 2)))
    X = batch(6, 7, 5)
    states = model.lstm(X)[0].detach()
    row = by_place(inspect_activations(model, X)).loc["lstm"].iloc[-1]
    assert row["count"] == states.numel()
    assert row["max"] == pytest.approx(float(states.max()), rel=1e-5)


def test_each_call_of_a_shared_layer_has_its_own_row():
    def forward(self, x):
        return self.shared(torch.relu(self.shared(x)) + 3)

    model = build(lambda: Net(forward, shared=nn.Linear(5, 5)))
    X = batch(30, 5)
    first = model.shared(X).detach()
    last = model(X).detach()
    means = inspect_activations(model, X).to_frame()["mean"]
    assert means.iloc[0] == pytest.approx(float(first.mean()), abs=1e-5)
    assert means.iloc[-1] == pytest.approx(float(last.mean()), abs=1e-5)


def test_values_that_layers_share_are_counted_once():
    def tied():
        model = nn.Sequential(nn.Embedding(9, 4), nn.Linear(4, 9, bias=False))
        model[1].weight = model[0].weight
        return model

    words = torch.arange(9)[None]
    model = build(tied)
    record = initialize(model, "random_normal", X=words, random_state=0)
    assert "of 36 values (1 parameter)" in record.summary()
    assert record.to_frame()["shape"].tolist() == ["9x4"]


@pytest.mark.parametrize("training", [True, False])
def test_looking_leaves_the_mode_and_the_statistics_of_a_network(training):
    model = build(lambda: perceptron(nn.BatchNorm1d(6), nn.Dropout(0.5))).train(training)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    for look in (inspect_activations, audit, network.read):
        look(model, batch(40, 5))
    assert [part.training for part in model.modules()] == [training] * 6
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_layers_of_an_encoder_are_measured_in_evaluation_mode():
    """torch computes an encoder in one fused step then, and calls none of its parts."""
    model = build(lambda: nn.TransformerEncoderLayer(8, 2, 12, batch_first=True)).eval()
    X = batch(4, 6, 8)
    frame = by_place(inspect_activations(model, X))
    attention = model.self_attn(X, X, X)[0].detach()
    assert frame.loc["self_attn", "max"].iloc[-1] == pytest.approx(float(attention.max()), rel=1e-4)
    assert frame.loc[("linear1", "pre_activation"), "count"] == 4 * 6 * 12
    assert "linear2" in frame.index


def test_a_layer_that_gets_its_input_by_keyword_is_measured():
    def forward(self, x, *, scale):
        return self.layer(input=x * scale)

    model = build(lambda: Net(forward, layer=nn.Linear(5, 3)))
    X = batch(20, 5)
    expected = model.layer(2 * X).detach()
    frame = inspect_activations(model, {"x": X, "scale": torch.full((20, 1), 2.0)}).to_frame()
    assert frame["mean"].iloc[-1] == pytest.approx(float(expected.mean()), abs=1e-5)


def test_a_network_can_be_saved_after_an_inspection():
    model = build(perceptron)
    inspect_activations(model, batch(40, 5), TARGETS, gradients=True)
    assert hooks_of(model) == {}
    buffer = io.BytesIO()
    torch.save(model, buffer)
    buffer.seek(0)
    again = torch.load(buffer, weights_only=False)
    assert all(torch.equal(one, other) for one, other in zip(model.parameters(), again.parameters(), strict=True))


def test_values_that_are_not_finite_are_counted():
    model = build(perceptron)
    X = batch(40, 5)
    X[3, 1], X[7, 2] = torch.inf, torch.nan
    row = by_place(inspect_activations(model, X)).loc[("0", "pre_activation")]
    assert row["nonfinite"] == 2 * 6
    assert np.isfinite(row["mean"])


def test_dead_units_are_reported_with_their_layer_and_share():
    model = build(lambda: nn.Sequential(nn.Linear(5, 8), nn.ReLU(), nn.Linear(8, 3)))
    with torch.no_grad():
        model[0].bias[:6] = -1e3
    summary = inspect_activations(model, batch(400, 5))
    assert by_place(summary).loc[("0", "activation"), "dead_fraction"] == 6 / 8
    dead = summary.findings().query("kind == 'dead'")
    assert dead[["layer", "value"]].to_numpy().tolist() == [["0", 0.75]]


def test_an_audit_names_the_layers_that_are_copies():
    layer = build(lambda: nn.TransformerEncoderLayer(8, 2, 12, batch_first=True))
    encoder = nn.TransformerEncoder(layer, 3)
    findings = audit(encoder, batch(6, 4, 8)).findings().query("kind == 'cloned'")
    assert findings[["layer", "value"]].to_numpy().tolist() == [["layers.0-2", 3]]
    initialize(encoder, "glorot_uniform", random_state=0)
    assert "cloned" not in set(audit(encoder, batch(6, 4, 8)).findings()["kind"])
