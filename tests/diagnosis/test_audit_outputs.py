"""Outputs at the start: their scale, and whether they depend on the input."""

import math

import pytest
import torch
from torch import nn

from initsk import MLPClassifier, MLPRegressor, audit, initialize
from initsk.report import describe_findings
from tests.diagnosis.helpers import why_not
from tests.helpers import Net, batch, build


def kinds(result):
    return {row.kind: row.decides for row in result.findings().itertuples()}


def head(n_classes=10, scale=1.0, width=8):
    network = build(lambda: nn.Sequential(nn.Linear(width, 16), nn.ReLU(), nn.Linear(16, n_classes)))
    with torch.no_grad():
        network[-1].weight.mul_(scale)
    return network


def scale_of(scores):
    """Return the value of the finding in a network that returns the given scores, or None if there is none."""
    result = audit(Net(lambda self, x: scores + 0 * x.sum()), batch(len(scores), 1))
    found = result.findings().set_index("kind")["value"]
    return found.get("initial scale")


def test_the_loss_of_a_random_label_by_hand():
    # Two classes with scores 60 and 0: the loss is 0 or 60, on average 30; relative to log(10), since 2 is below 10.
    assert scale_of(torch.tensor([[60.0, 0.0], [0.0, 60.0]])) == pytest.approx(30 / math.log(10))
    scores = torch.zeros(4, 1000)
    scores[:, 0] = 100
    # 99.9 on average: a label has the loss 0 in one of 1000 cases.
    assert scale_of(scores) == pytest.approx(99.9 / math.log(1000))
    assert scale_of(torch.full((4, 1000), 50.0)) is None
    assert scale_of(torch.zeros(4, 1000).log_softmax(-1)) is None


def test_classes_of_images_are_on_the_second_axis():
    scores = torch.zeros(2, 20, 4, 4)
    scores[:, 0] = 100
    assert scale_of(scores) == pytest.approx(95 / math.log(20))
    assert scale_of(scores.movedim(1, -1)) is None


@pytest.mark.parametrize("excluded", [-torch.inf, -1e9, torch.finfo(torch.float32).min])
def test_excluded_classes_do_not_count(excluded):
    scores = torch.zeros(2, 20)
    scores[:, :10] = excluded
    assert scale_of(scores) is None
    scores[:, 10] = 100
    # Ten of the classes are possible.
    assert scale_of(scores) == pytest.approx(90 / math.log(20))


class LanguageModel(nn.Module):
    """The table of a language model is its head too, after a normalization."""

    def __init__(self, width=256, vocabulary=2000):
        super().__init__()
        self.table, self.norm = nn.Embedding(vocabulary, width), nn.LayerNorm(width)

    def forward(self, tokens):
        return self.norm(self.table(tokens)) @ self.table.weight.T


def test_a_table_of_unit_variance_is_too_large_a_head():
    r"""The scores have the variance of the width, 256, so the largest of 2000 is near 16 times 3.3."""
    tokens = torch.arange(40).reshape(4, 10)
    network = build(LanguageModel)
    found = audit(network, tokens).findings().set_index("kind").loc["initial scale"]
    # The score of the token itself is its squared norm, 256, and the loss of another one as large.
    assert 16 * 3.3 / math.log(2000) < found["value"] < 2 * 256 / math.log(2000)
    assert found["decides"]
    initialize(network, "he_normal", random_state=0)
    assert "initial scale" not in kinds(audit(network, tokens))


@pytest.mark.parametrize("initializer", ["he_normal", "glorot_uniform", "torch_default", "orthogonal", "auto"])
def test_usual_initializers_begin_near_a_uniform_guess(initializer):
    network = head()
    initialize(network, initializer, random_state=0)
    assert kinds(audit(network, batch(40, 8))) == {}


def test_large_outputs_of_a_classifier():
    assert kinds(audit(head(scale=300), batch(40, 8))) == {"initial scale": True}


def test_numbers_to_predict_are_not_checked():
    result = audit(head(1, scale=300), batch(40, 8))
    assert kinds(result) == {}
    assert "single number" in why_not(result, "initial scale")
    # An autoencoder returns its input's shape.
    result = audit(head(8, scale=300), batch(40, 8))
    assert kinds(result) == {}
    assert "shape of an input" in why_not(result, "initial scale")


def test_estimators_of_numbers_are_not_checked():
    X, Y = batch(30, 8).numpy(), 100 * batch(30, 5).numpy()
    reg = MLPRegressor((16,), max_epochs=1, random_state=0).fit(X, Y)
    assert "predicts numbers" in why_not(audit(reg, X), "initial scale")


def test_a_fitted_estimator_has_no_initial_scale():
    clf = MLPClassifier((8,), random_state=0).initialize(batch(30, 8).numpy(), [0, 1] * 15)
    assert why_not(audit(clf, batch(30, 8)), "initial scale") is None
    clf.partial_fit(batch(30, 8).numpy(), [0, 1] * 15)
    assert "fitted" in why_not(audit(clf, batch(30, 8)), "initial scale")


def test_scores_of_a_classifier_may_have_the_shape_of_its_input():
    X = batch(30, 3)
    clf = MLPClassifier((8,), random_state=0).initialize(X.numpy(), [0, 1, 2] * 10)
    assert why_not(audit(clf, X), "initial scale") is None
    with torch.no_grad():
        clf.net_.module_.output.weight.mul_(1000)
    assert kinds(audit(clf, X)) == {"initial scale": True}


def test_a_network_whose_units_are_all_dead():
    network = head()
    nn.init.constant_(network[0].bias, -100)
    result = audit(network, batch(40, 8))
    assert kinds(result) == {"constant output": True}
    assert result.exit_code == 1
    assert result.findings()["value"].tolist() == [0.0]


def test_outputs_that_vary_little_are_not_constant():
    network = head(scale=1e-3)
    nn.init.constant_(network[-1].bias, -4.6)
    assert kinds(audit(network, batch(40, 8))) == {}


def test_equal_samples_cannot_show_a_constant_output():
    for X in (torch.ones(40, 8), torch.ones(1, 8)):
        result = audit(head(), X)
        assert kinds(result) == {}
        assert "differ" in why_not(result, "constant output")


def test_untrained_batch_normalization_uses_the_batch():
    """With running moments of an untrained network, the signal of deep networks vanishes."""

    def layer(n):
        return [nn.Linear(n, 16), nn.BatchNorm1d(16), nn.Sigmoid()]

    network = build(
        lambda: nn.Sequential(*layer(8), *[part for _ in range(20) for part in layer(16)], nn.Linear(16, 3))
    )
    result = audit(network, batch(40, 8))
    assert kinds(result) == {}
    assert int(network[1].num_batches_tracked) == 0
    assert bool((network[1].running_mean == 0).all())


NOT_FINITE = {
    "infinite": lambda x: x / 0,
    "NaN": lambda x: x * torch.nan,
    "NaN or infinite": lambda x: torch.cat([x.abs() / 0, x * torch.nan], 1),
}


@pytest.mark.parametrize("what", NOT_FINITE)
def test_outputs_that_are_not_finite(what):
    network = Net(lambda self, x: NOT_FINITE[what](self.layer(x)), layer=build(lambda: nn.Linear(8, 3)))
    result = audit(network, batch(4, 8))
    assert kinds(result) == {"non-finite": True}
    assert describe_findings(result)["evidence"].iloc[0].endswith(f" values of the outputs are {what}.")
    assert {"initial scale", "constant output", "batch leak"} <= set(result.not_checked["check"])


SINGLE = {
    "a loss": lambda self, x: self.layer(x).logsumexp(1).mean(),
    "a prediction": lambda self, x: {"prediction": self.layer(x).mean()},
    "the criterion": lambda self, x: (lambda output, target: output)(self.layer(x).mean(), None),
}


@pytest.mark.parametrize("name", SINGLE)
def test_a_single_number_for_all_samples(name):
    network = Net(SINGLE[name], layer=build(lambda: nn.Linear(8, 3)))
    result = audit(network, batch(40, 8))
    assert kinds(result) == {}
    assert "single number" in why_not(result, "initial scale")
    for check in ("constant output", "batch leak", "padding leak"):
        assert "do not count the same samples" in why_not(result, check)
    # The weights and the inputs are checked all the same.
    nn.init.constant_(network.layer.weight, torch.nan)
    found = audit(network, 1000 * batch(40, 8)).findings()
    assert found["kind"].tolist() == ["uninitialized", "unscaled input", "non-finite"]


def test_outputs_without_scores():
    network = Net(lambda self, x: {"a": self.layer(x), "b": x}, layer=build(lambda: nn.Linear(8, 3)))
    result = audit(network, batch(4, 8))
    assert kinds(result) == {}
    assert "usual name of scores" in why_not(result, "initial scale")
