"""Recommended initializers, and diagnoses before training."""

import numpy as np
import pytest
import skorch
import torch
from sklearn.datasets import load_digits
from torch import nn

from initsk import MLPClassifier, MLPRegressor, diagnose, get_initializer, initialize, recommend_initializer
from initsk.exceptions import InitskError, InvalidParameterError
from initsk.initializers import Scaled
from initsk.network import MLP
from initsk.report import describe_findings
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
        ("tanh", 2, "glorot_uniform"),
        ("sigmoid", 2, "glorot_uniform"),
        ("relu", 4, "VarianceScaling(activation='relu')"),
        ("selu", 4, "VarianceScaling(activation='selu')"),
        ("gelu", 2, "VarianceScaling(activation='gelu')"),
        ("relu", 12, "VarianceScaling(distribution='orthogonal', activation='relu')"),
        ("tanh", 12, "VarianceScaling(distribution='orthogonal')"),
        ("gelu", 12, "EdgeOfChaos(activation='gelu', distribution='orthogonal')"),
        ("silu", 12, "EdgeOfChaos(activation='silu', distribution='orthogonal')"),
        ("sigmoid", 12, "Centered(base=VarianceScaling(scale=16.0, distribution='orthogonal'))"),
    ],
)
def test_activation_and_depth_decide(activation, depth, expected):
    module = build(lambda: MLP(8, 2, (16,) * depth, activation=activation))
    frame = recommend_initializer(module).to_frame().set_index("name")
    assert frame.loc["hidden_1.weight", "initializer"] == expected
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


def test_with_samples_it_is_measured_against_others():
    clf = MLPClassifier((32,) * 12, activation="sigmoid", random_state=0)
    recommendation = recommend_initializer(clf, X, Y)
    measured = recommendation.measured.set_index("initializer")
    assert measured.index[0] == "auto"
    assert measured.loc["auto", "score"] > 0.5 > measured.loc["glorot_uniform", "score"]
    assert measured["loss"].notna().all()
    assert "Measured on a part of the samples" in recommendation.to_html()
    assert "Diukur pada sebagian sampel" in recommendation.to_markdown(language="id")
    why = recommendation.to_frame().set_index("name").loc["output.weight", "why"]
    assert why == "output layer; with small outputs, CrossEntropyLoss starts near the baseline loss"
    without = recommend_initializer(build(lambda: MLP(4, 2)))
    assert without.measured is None
    assert without.to_frame().set_index("name").loc["output.weight", "why"] == "output layer"


def test_recommending_changes_nothing_and_needs_no_data():
    module = build(lambda: MLP(8, 2, (16,)))
    before = {name: values.clone() for name, values in module.state_dict().items()}
    recommendation = recommend_initializer(module)
    assert all(torch.equal(values, before[name]) for name, values in module.state_dict().items())
    assert str(recommendation).endswith("lecun_normal for output.weight")


@pytest.mark.parametrize(
    ("hidden", "initializer", "optimizer", "expected"),
    [
        ((64,) * 4, "he_normal", "adam", set()),
        ((64,) * 4, "he_normal", "sgd", set()),
        ((64,) * 4, "zeros", "adam", {"symmetric", "small gradient"}),
        ((64,) * 4, "random_normal", "sgd", {"disproportionate"}),
        ((64,) * 4, Scaled("he_normal", 10.0), "sgd", {"large gradient", "overconfident"}),
    ],
)
def test_what_keeps_networks_from_training(hidden, initializer, optimizer, expected):
    clf = MLPClassifier(hidden, initializer=initializer, optimizer=optimizer, random_state=0)
    diagnosis = diagnose(clf, X, Y)
    findings = diagnosis.findings()
    assert expected <= set(findings.loc[findings["decides"], "kind"])
    assert diagnosis.will_train is (not expected)
    assert diagnosis.will_train is (diagnosis.score >= 0.5)
    assert diagnosis.will_train is not findings["decides"].any()
    assert diagnosis.exit_code == (1 if expected else 0)
    assert str(diagnosis).startswith("The network will probably " + ("not train" if expected else "train"))
    assert diagnosis.recommended_score > 0.5
    health = diagnosis.health().set_index("kind")
    assert health["health"].min() == pytest.approx(diagnosis.score)
    assert health["recommended_health"].min() == pytest.approx(diagnosis.recommended_score)
    assert set(health.index[health["health"] < 0.5]) == set(findings.loc[findings["decides"], "kind"])
    # What decides comes first, each number on the wrong side of its threshold.
    assert findings["decides"].is_monotonic_decreasing
    assert (findings["value"] != findings["threshold"]).all()


def test_the_score_falls_with_the_health():
    scores = []
    for factor in (1.0, 0.3, 0.1, 0.03, 0.01):
        clf = MLPClassifier((64,) * 4, initializer=Scaled("he_normal", factor), optimizer="sgd", random_state=0)
        scores.append(diagnose(clf, X, Y).score)
    assert scores == sorted(scores, reverse=True)
    assert scores[0] > 0.9
    assert scores[-1] < 0.01


def test_the_optimizer_counts():
    clf = MLPClassifier((64,) * 4, initializer=Scaled("he_normal", 0.15), random_state=0)
    asked = {name: diagnose(clf, X, Y, optimizer=name) for name in ("sgd", "adam", torch.optim.SGD, None)}
    assert asked["adam"].score > asked["sgd"].score
    assert asked[torch.optim.SGD].score == asked["sgd"].score
    # The estimator's own is Adam; a plain module has none, and is taken to be trained by SGD.
    assert asked[None].score == asked["adam"].score
    module = build(lambda: MLP(64, 10, (16,)))
    assert diagnose(module, X, Y).optimizer == "gradient"
    with pytest.raises(InvalidParameterError, match="unknown optimizer 'sdg'; did you mean 'sgd'"):
        diagnose(clf, X, Y, optimizer="sdg")
    with pytest.raises(InvalidParameterError, match="y=None is not allowed"):
        diagnose(clf, X, None)


def test_loss_and_depth_are_compared_with_chance_and_theory():
    clf = MLPClassifier((50,) * 30, activation="tanh", initializer=Scaled("glorot_normal", 0.6), random_state=0)
    diagnosis = diagnose(clf, X, Y)
    assert diagnosis.baseline_loss == pytest.approx(np.log(10), rel=0.01)
    assert diagnosis.loss == pytest.approx(np.log(10), rel=0.05)
    # Without biases gradients fall by the weight variance: xi = -1 / ln 0.36.
    assert diagnosis.depth.weight_variance == pytest.approx(0.36, rel=0.05)
    assert diagnosis.depth.xi_c == pytest.approx(-1 / np.log(0.36), rel=0.1)
    assert diagnosis.depth.share == pytest.approx(30 / (6 * diagnosis.depth.xi_c))
    findings = diagnosis.findings().set_index("kind")
    assert findings.loc["too deep", "value"] == diagnosis.depth.share
    assert not findings.loc["too deep", "decides"]
    regressor = MLPRegressor((16,), random_state=0)
    assert diagnose(regressor, X, X[:, 20]).baseline_loss == pytest.approx(X[:, 20].var(), rel=0.2)


def test_a_plain_module_is_diagnosed_and_stays_as_it_is():
    module = build(lambda: nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 2)))
    before = {name: values.clone() for name, values in module.state_dict().items()}
    diagnosis = diagnose(module, batch(50, 4), torch.arange(50) % 2)
    assert diagnosis.will_train
    assert all(torch.equal(values, before[name]) for name, values in module.state_dict().items())
    assert all(parameter.grad is None for parameter in module.parameters())


def test_samples_are_drawn():
    clf = MLPClassifier((8,), random_state=0)
    order = np.argsort(Y)
    few = diagnose(clf, X[order], Y[order], max_samples=100)
    assert few.inspection.to_frame()["count"].iloc[0] == 100 * 8
    # Sorted by class, the first hundred were of one class alone.
    assert few.will_train
    assert few.score == diagnose(clf, X[order], Y[order], max_samples=100).score
    with pytest.raises(InvalidParameterError, match=r"max_samples=1 is not allowed.*random_state='a'"):
        diagnose(clf, X, Y, max_samples=1, random_state="a")


@pytest.mark.parametrize(
    ("inputs", "targets", "words"),
    [
        (X[:5], Y[:5], "X has 5 samples .*at least 20"),
        (X, Y[:100], "y has 100 rows, and X has 1797"),
        (X, np.zeros(len(X), int), "y holds one value only"),
        (X, Y + 7, "y has labels 7 to 16"),
    ],
)
def test_samples_of_which_nothing_can_be_said_are_refused(inputs, targets, words):
    module = build(lambda: MLP(64, 10, (16,)))
    with pytest.raises(InitskError, match=words):
        diagnose(module, inputs, targets)
    if len(targets) >= 20:
        with pytest.raises(InitskError, match=words):
            recommend_initializer(module, inputs, targets)


def test_a_loss_that_is_not_finite_is_found():
    net = skorch.NeuralNetClassifier(build(lambda: MLP(64, 10, (16,))), verbose=0)
    with torch.random.fork_rng():
        # Scores where NLLLoss wants log-probabilities, as skorch takes logarithms of them.
        diagnosis = diagnose(net, X.astype("float32"), Y)
    assert np.isnan(diagnosis.loss)
    assert diagnosis.findings()["kind"].iloc[0] == "non-finite"
    assert "NLLLoss" in describe_findings(diagnosis)["advice"].iloc[0]
    assert diagnosis.score == 0


def test_lists_are_samples_too():
    clf = MLPClassifier((16,), random_state=0)
    assert diagnose(clf, X.tolist(), Y.tolist()).score == diagnose(clf, X, Y).score


def test_normalized_networks_are_seen_as_they_are_trained():
    def factory():
        layers = [part for _ in range(20) for part in (nn.Linear(64, 64), nn.BatchNorm1d(64), nn.Sigmoid())]
        return nn.Sequential(*layers, nn.Linear(64, 10))

    module = build(factory)
    initialize(module, "lecun_normal", random_state=0)
    before = {name: values.clone() for name, values in module.state_dict().items()}
    summary = diagnose(module, X.astype("float32"), Y).inspection.to_frame()
    assert summary.loc[summary["layer"] == "58", "std"].iloc[0] > 0.1
    assert all(torch.equal(values, before[name]) for name, values in module.state_dict().items())


def test_reports_of_advice_show_the_layers():
    clf = MLPClassifier((8,), initializer="zeros", random_state=0)
    diagnosis = diagnose(clf, X, Y)
    page = diagnosis.to_html()
    assert "The network will probably not train (score 0.00)" in page
    assert "Jaringan ini diperkirakan gagal dilatih (skor 0,00)" in diagnosis.to_html(language="id")
    assert "feeds relu (gain 1.4142)" in page
    recommendation = recommend_initializer(clf, X, Y)
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
    assert page.count("<svg") == 5
    # A weight variance of 2.019: a depth scale of 106.5, so 639 layers.
    assert "sampai kedalaman 639. Kedalaman jaringan ini 25." in page
    # Every sentence is in the page's language, reasons too.
    assert "menuju relu, dan 25 lapisan tergolong dalam: ortogonal" in page
    assert "feeds" not in page
