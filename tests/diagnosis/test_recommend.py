"""Recommended initializers."""

import re

import pandas as pd
import pytest
import torch
from sklearn.datasets import load_digits
from torch import nn

from initsk import MLPClassifier, diagnose, get_initializer, initialize, recommend_initializer
from initsk.diagnosis import Recommendation
from initsk.exceptions import ModuleError
from initsk.network import MLP
from tests.helpers import batch, build

X, Y = load_digits(return_X_y=True)
X = X / 16


def test_recommended_is_what_auto_does():
    module = build(lambda: nn.Sequential(nn.Conv2d(1, 4, 3), nn.GELU(), nn.Flatten(), nn.LSTM(16, 8)))
    frame = recommend_initializer(module).to_frame()
    record = initialize(module, "auto", random_state=0).to_frame().set_index("name")
    for row in frame.itertuples():
        assert row.why in record.loc[row.name, "why"]
    assert set(frame["name"]) == set(record.index)


def test_the_promised_variance_is_drawn():
    module = build(lambda: MLP(300, 10, (400, 300), activation="relu"))
    frame = recommend_initializer(module).to_frame().set_index("name")
    initialize(module, "auto", random_state=0)
    for name, parameter in module.named_parameters():
        if name.endswith("weight"):
            # Six standard errors of a normal's variance.
            tolerance = 6 * (2 / parameter.numel()) ** 0.5
            assert float(parameter.detach().var()) == pytest.approx(frame.loc[name, "variance"], rel=tolerance)
    assert frame.loc["hidden_1.weight", "variance"] == pytest.approx(2 / 300)
    assert "He et al. 2015" in frame.loc["hidden_1.weight", "reference"]


@pytest.mark.parametrize(
    ("activation", "depth", "expected"),
    [
        ("tanh", 2, "glorot_orthogonal"),
        ("sigmoid", 2, "glorot_orthogonal"),
        ("relu", 4, "he_orthogonal"),
        ("selu", 4, "lecun_orthogonal"),
        ("gelu", 2, "VarianceScaling(distribution='orthogonal', activation='gelu')"),
        ("relu", 12, "he_orthogonal"),
        ("tanh", 12, "lecun_orthogonal"),
        ("gelu", 12, "EdgeOfChaos(activation='gelu', distribution='orthogonal')"),
        ("silu", 12, "EdgeOfChaos(activation='silu', distribution='orthogonal')"),
        ("sigmoid", 12, "Centered(base=VarianceScaling(scale=16.0, distribution='orthogonal'))"),
    ],
)
def test_activation_and_depth_decide(activation, depth, expected):
    module = build(lambda: MLP(8, 2, (16,) * depth, activation=activation))
    frame = recommend_initializer(module).to_frame().set_index("name")
    assert frame.loc["hidden_2.weight", "initializer"] == expected
    assert activation in frame.loc["hidden_2.weight", "why"]
    assert activation in frame.loc["hidden_1.weight", "why"]


def test_a_deep_network_of_sigmoids_is_made_one_of_tanh():
    # Of centered weights times 4, layer by layer: sigmoid(x) = 1/2 + tanh(x / 2) / 2.
    module = build(lambda: MLP(30, 2, (30,) * 12, activation="sigmoid"))
    initialize(module, "auto", random_state=0)
    signal = batch(20, 30).double()
    tanh = module.double().hidden_1(signal) / 2
    with torch.no_grad():
        for depth in range(1, 12):
            signal = module.get_submodule(f"hidden_{depth}")(signal).sigmoid()
            tanh = torch.nn.functional.linear(torch.tanh(tanh), module.get_submodule(f"hidden_{depth + 1}").weight / 4)
        # Drawn in single precision, weights add up to zero up to its rounding.
        torch.testing.assert_close(module.hidden_12(signal), 2 * tanh, rtol=1e-4, atol=1e-4)
        # So samples stay apart.
        alike = torch.corrcoef(module.hidden_12(signal)).abs().mean()
        assert alike < 0.6


class Residual(nn.Module):
    """Eight residual blocks of two layers."""

    def __init__(self):
        super().__init__()
        self.first = nn.ModuleList(nn.Linear(64, 64) for _ in range(8))
        self.second = nn.ModuleList(nn.Linear(64, 64) for _ in range(8))
        self.head = nn.Linear(64, 10)

    def forward(self, x):
        """Add what the branches make."""
        for first, second in zip(self.first, self.second, strict=True):
            x = x + second(torch.relu(first(x)))
        return self.head(x)


def test_residual_branches_add_up_to_one():
    module = build(Residual)
    frame = recommend_initializer(module).to_frame().set_index("name")
    assert frame.loc["second.3.weight", "variance"] == pytest.approx(1 / 64 / 8, rel=1e-4)
    assert frame.loc["first.3.weight", "variance"] == pytest.approx(2 / 64)
    assert "Radford et al. 2019" in frame.loc["second.3.weight", "reference"]
    assert "one of 8 residual branches" in frame.loc["second.3.weight", "why"]
    assert "signals grow with each branch" in frame.loc["second.3.weight", "common_practice"]


def test_where_theory_and_folklore_disagree_both_are_said():
    def said(module, name):
        return recommend_initializer(module).to_frame().set_index("name").loc[name, "common_practice"]

    assert "5/3" in said(build(lambda: MLP(4, 2, (8,), activation="tanh")), "hidden_1.weight")
    assert "3/4" in said(build(lambda: MLP(4, 2, (8,), activation="selu")), "hidden_1.weight")
    assert "he_normal" in said(build(lambda: MLP(4, 2, (8,), activation="gelu")), "hidden_1.weight")
    assert said(build(lambda: MLP(4, 2, (8,), activation="relu")), "hidden_1.weight") == ""
    assert said(build(lambda: MLP(4, 2, (8,))), "hidden_1.bias") == ""
    assert "N(0, 1)" in said(build(lambda: nn.Embedding(5, 4)), "weight")
    assert "0.02^2" in said(build(lambda: nn.TransformerEncoderLayer(8, 2)), "linear1.weight")


class PostNorm(nn.Module):
    """Four residual blocks, each with a normalization after its addition."""

    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(16, 16) for _ in range(8))
        self.norms = nn.ModuleList(nn.LayerNorm(16) for _ in range(4))

    def forward(self, x):
        """Normalize after each addition."""
        for number, norm in enumerate(self.norms):
            x = norm(x + self.layers[2 * number + 1](torch.relu(self.layers[2 * number](x))))
        return x


class ReZero(nn.Module):
    """Four residual branches with a factor that begins at zero."""

    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(16, 16) for _ in range(4))
        self.factors = nn.ParameterList(nn.Parameter(torch.zeros(1)) for _ in range(4))
        self.head = nn.Linear(16, 2)

    def forward(self, x):
        """Add what the branches make."""
        for layer, factor in zip(self.layers, self.factors, strict=True):
            x = x + factor * torch.relu(layer(x))
        return self.head(x)


class Sine(nn.Module):
    """Sine network."""

    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Linear(2, 64), nn.Linear(64, 1)

    def forward(self, x):
        """Take the sine of a multiple."""
        return self.last(torch.sin(30 * self.first(x)))


@pytest.mark.parametrize(
    ("factory", "said", "not_said"),
    [
        (PostNorm, ["Xiong et al. 2020", "depth-muP"], ["Saxe", "Fixup"]),
        (Residual, ["depth-muP", "Fixup", "table 3"], ["Xiong", "ReZero"]),
        (ReZero, ["ReZero", "depth-muP"], ["Xiong"]),
        (Sine, ["1e-4"], ["depth-muP", "Saxe"]),
        (lambda: MLP(8, 2, (16,) * 12, activation="tanh"), ["Saxe et al. 2013", "table 3"], ["depth-muP", "Xiong"]),
        (lambda: nn.Linear(4, 2), [], [""]),
    ],
)
def test_what_is_known_of_the_learning_rate(factory, said, not_said):
    recommendation = recommend_initializer(build(factory))
    text = " ".join(recommendation.learning_rate)
    assert all(part in text for part in said)
    assert not any(part in sentence for part in not_said for sentence in recommendation.learning_rate)
    for sentence in recommendation.learning_rate:
        assert sentence in str(recommendation)
        assert sentence.partition(" (")[0] in recommendation.to_markdown().replace("\\", "")


def test_what_the_field_does_at_the_end_of_branches():
    def said(module, name):
        return recommend_initializer(module).to_frame().set_index("name").loc[name, "common_practice"]

    assert "DeepNorm" in said(build(PostNorm), "layers.1.weight")
    assert "ReZero" in said(build(Residual), "second.3.weight")
    assert "DeepNorm" not in said(build(PostNorm), "layers.0.weight")


def test_with_samples_it_is_measured_against_others():
    clf = MLPClassifier((32,) * 12, activation="sigmoid", random_state=0)
    recommendation = recommend_initializer(clf, X, Y)
    measured = recommendation.measured.set_index("initializer")
    assert measured.index[0] == "auto"
    assert measured.loc["auto", "score"] > 0.5 > measured.loc["glorot_uniform", "score"]
    assert measured["loss"].notna().all()
    assert (measured["steps"] >= 32).all()
    assert "Measured by a trial on a copy" in recommendation.to_html()
    assert "Diukur dengan percobaan pada salinan" in recommendation.to_markdown(language="id")
    why = recommendation.to_frame().set_index("name").loc["output.weight", "why"]
    assert why.startswith("output layer; ")
    assert why.endswith("; with small outputs, CrossEntropyLoss starts near the baseline loss")
    without = recommend_initializer(build(lambda: MLP(4, 2)))
    assert without.measured is None
    assert "baseline loss" not in without.to_frame().set_index("name").loc["output.weight", "why"]


def test_the_initializers_for_which_there_is_no_time_are_named():
    clf = MLPClassifier((8,), random_state=0)
    names = list(recommend_initializer(clf, X[:64], Y[:64]).measured["initializer"])
    assert len(names) == 7
    short = recommend_initializer(clf, X[:64], Y[:64], time_limit=1e-9)
    assert short.measured["initializer"].tolist() == ["auto"]
    assert {"auto", *short.not_tried} == set(names)
    words = f"Not tried, because the time limit was reached: {', '.join(short.not_tried)}. A larger limit tries them"
    for shown in (str(short), short.to_markdown().replace("\\_", "_")):
        assert words in shown
    assert "Tidak dicoba, karena batas waktu tercapai" in short.to_markdown(language="id")
    enough = recommend_initializer(clf, X[:64], Y[:64], time_limit=100.0)
    assert enough.not_tried == ()
    assert "Not tried" not in str(enough)


def test_other_initializers_are_named_only_if_their_scores_are_clearly_higher():
    def said(**scores):
        return " ".join(
            Recommendation((), pd.DataFrame({"initializer": list(scores), "score": list(scores.values())})).on_samples
        )

    uncertain = "Each score comes from one short trial with one seed, so small differences say little."
    for own, other, is_named in [(0.82, 0.99, False), (0.6, 0.85, True), (0.05, 0.3, True), (0.45, 0.55, True)]:
        text = said(auto=own, glorot_uniform=other)
        assert ("glorot_uniform has a higher one" in text) == is_named
        assert uncertain in text
    assert uncertain not in said(auto=0.9)


def test_what_the_field_does_with_the_forget_gate():
    frame = recommend_initializer(build(lambda: nn.LSTM(5, 8))).to_frame()
    practice = frame.loc[frame["name"].str.startswith("bias"), "common_practice"]
    [named] = practice[practice != ""]
    for word in ("forget gate", "ForgetGateBias", "Gers et al. 2000", "Jozefowicz et al. 2015"):
        assert word in named
    gated = recommend_initializer(build(lambda: nn.GRU(5, 8))).to_frame()
    assert not gated.loc[gated["name"].str.startswith("bias"), "common_practice"].any()


def test_what_is_missing_to_build_an_estimator_is_named():
    for data, words in [((), "X and y, which are"), ((X,), "y, which is"), ((None, Y), "X, which is")]:
        with pytest.raises(ModuleError, match=f"MLPClassifier is not fitted; give {words} needed to build it"):
            recommend_initializer(MLPClassifier(), *data)


def test_the_verb_agrees_with_the_number_of_parameters_without_a_shape():
    for module, words in [(nn.LazyLinear(3), "weight, bias of a lazy module have"),
                          (nn.LazyLinear(3, bias=False), "weight of a lazy module has")]:  # fmt: skip
        with pytest.raises(ModuleError, match=f"{words} no shape yet"):
            recommend_initializer(module)


def test_recommending_changes_nothing_and_needs_no_data():
    module = build(lambda: MLP(8, 2, (16,)))
    before = {name: values.clone() for name, values in module.state_dict().items()}
    recommendation = recommend_initializer(module)
    assert all(torch.equal(values, before[name]) for name, values in module.state_dict().items())
    output = "Scaled(base=LeCunOrthogonal(), factor=0.57735) for output.weight"
    assert output in str(recommendation)


def test_reports_of_advice_show_the_layers():
    clf = MLPClassifier((8,), initializer="zeros", random_state=0)
    diagnosis = diagnose(clf, X, Y)
    page = diagnosis.to_html()
    assert "The network will probably not train (score 0.00)" in page
    assert "Jaringan ini diperkirakan gagal dilatih (skor 0,00)" in diagnosis.to_markdown(language="id")
    assert "feeds relu (gain 1.4142)" in page
    recommendation = recommend_initializer(clf, X, Y, time_limit=1e-6)
    assert recommendation._repr_html_().startswith("<iframe")
    for row in recommendation.to_frame().itertuples():
        assert row.name in recommendation.to_markdown().replace("\\", "")
        get_initializer(row.initializer.partition("(")[0])


@pytest.mark.slow
def test_deep_networks_have_a_report_too():
    module = build(
        lambda: nn.Sequential(*(part for _ in range(25) for part in (nn.Linear(64, 64), nn.ReLU())), nn.Linear(64, 10))
    )
    initialize(module, "he_normal", random_state=0)
    page = diagnose(module, X.astype("float32"), Y).to_html(language="id")
    # What a diagnosis of a plain chain shows: trial, learning rates, theory, and the measured layers.
    pictures = re.findall(r'role="group" aria-label="([^"]*)"><div class="drawing"', page)
    layers = ["activations_histograms", "depth", "gradients_histograms", "weights_histograms"]
    assert pictures == ["trial", "learning_rates", "phase", *layers]
    assert page.count("<svg") == len(pictures)
    # A weight variance of 2.019: a depth scale of 106.5, so 639 layers.
    assert "melalui 639 lapisan dengan relu. Jaringan ini memiliki 25." in page
    # Every sentence is in the page's language, reasons too.
    assert "menuju relu (gain 1,4142)" in page
    assert "feeds" not in page


def test_a_network_without_weights_gets_a_sentence():
    recommendation = recommend_initializer(nn.Sequential(nn.ReLU()))
    assert str(recommendation) == recommendation.answer() == "The network has no weights to initialize."
    assert recommendation.to_frame().empty
