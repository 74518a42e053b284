"""Causes that a diagnosis names: inputs, weights and outputs that do not fit, and networks that are trained."""

import math
import pickle

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch import nn

from initsk import MLPClassifier, audit, diagnose, initialize
from initsk.initializers import RandomNormal
from initsk.network import MLP
from initsk.report import answer_of_rates, describe_findings
from tests.diagnosis.helpers import value_of
from tests.helpers import batch, build

X, Y = load_digits(return_X_y=True)
X = X / 16
XT, YT = torch.tensor(X, dtype=torch.float32), torch.tensor(Y)
FAST = {"trial_steps": 8, "budget": 50}
IS_LARGE = (YT > 4).float()[:, None]


def network(n_outputs, *last):
    return build(lambda: nn.Sequential(nn.Linear(64, 16), nn.Tanh(), nn.Linear(16, n_outputs), *last))


@pytest.mark.parametrize("factor", [255, 1000])
def test_inputs_that_are_not_scaled_are_the_cause_that_the_answer_names(factor):
    clf = MLPClassifier((64,), max_epochs=20, random_state=0)
    diagnosis = diagnose(clf, X * factor, Y)
    assert not diagnosis.will_train
    first = diagnosis.findings().iloc[0]
    assert (first["layer"], first["kind"], first["decides"]) == ("X", "unscaled input", True)
    assert "Next step: standardize X" in str(diagnosis)
    assert "StandardScaler" in str(diagnosis)
    assert "input_scale" in str(diagnosis)


def test_audit_and_diagnosis_measure_the_scale_of_inputs_alike():
    module = network(10)
    # The root mean square of any samples is 255.
    pixels = 255 * batch(100, 64).sign()
    labels = torch.arange(100) % 10
    for result in (audit(module, pixels), diagnose(module, pixels, labels, **FAST)):
        assert value_of(result, "unscaled input") == pytest.approx(255)
    assert value_of(diagnose(module, pixels / 255, labels, **FAST), "unscaled input") is None
    normalized = build(lambda: nn.Sequential(nn.BatchNorm1d(64), nn.Linear(64, 10)))
    assert value_of(diagnose(normalized, pixels, labels, **FAST), "unscaled input") is None


def test_a_rate_that_moves_nothing_comes_before_the_scale_of_inputs():
    diagnosis = diagnose(network(10), 255 * XT, YT, lr=1e-10, **FAST)
    assert diagnosis.findings()["kind"].tolist()[:2] == ["small steps", "unscaled input"]


def test_weights_far_larger_than_recommended_are_the_cause_that_the_answer_names():
    clf = MLPClassifier((32,), max_epochs=10, initializer=RandomNormal(5.0), random_state=0)
    diagnosis = diagnose(clf, X, Y)
    assert not diagnosis.will_train
    found = diagnosis.findings()
    found = found[found["kind"] == "large weights"].set_index("layer")["value"]
    # He's rule has the standard deviation sqrt(2 / 64).
    assert found["hidden_1"] == pytest.approx(5 / math.sqrt(2 / 64), rel=0.05)
    assert found.is_monotonic_decreasing
    assert "times as large as recommended. Next step: draw the weights with a recommended initializer" in str(diagnosis)


@pytest.mark.parametrize("initializer", ["he_normal", "glorot_uniform", "torch_default", "orthogonal", "he_uniform"])
def test_weights_of_the_usual_initializers_are_not_too_large(initializer):
    module = build(lambda: MLP(64, 10, (64, 16)))
    initialize(module, initializer, random_state=0)
    diagnosis = diagnose(module, XT, YT, lr=1e-10, **FAST)
    assert not diagnosis.will_train
    assert value_of(diagnosis, "large weights") is None


def test_tables_of_embeddings_are_not_too_large():
    module = build(lambda: nn.Sequential(nn.Embedding(50, 32), nn.Flatten(), nn.Linear(96, 3)))
    tokens = torch.arange(180).reshape(60, 3) % 50
    diagnosis = diagnose(module, tokens, torch.arange(60) % 3, lr=1e-10, **FAST)
    assert not diagnosis.will_train
    assert value_of(diagnosis, "large weights") is None


def test_a_loss_beyond_a_thousand_times_the_baseline_is_measured():
    module = network(10)
    with torch.no_grad():
        module[2].weight *= 1e5
    diagnosis = diagnose(module, XT, YT, **FAST)
    losses = diagnosis.trial["loss"].to_numpy()
    expected = losses[-(len(losses) // 4) :].mean() / diagnosis.baseline_loss
    assert expected > 1000
    assert value_of(diagnosis, "not learning") == pytest.approx(expected)
    described = describe_findings(diagnosis).set_index("kind")
    assert f"the loss is {round(expected):,} times the baseline" in described.loc["not learning", "evidence"]


@pytest.fixture(scope="module")
def fitted():
    return MLPClassifier((32,), max_epochs=30, random_state=0).fit(X, Y)


TRAINED = "The network is already trained: its loss is below the target before the first step."


def test_a_network_that_is_trained_is_said_to_be_trained(fitted):
    diagnosis = diagnose(fitted, X, Y, lr=1e-9)
    assert diagnosis.is_trained
    assert diagnosis.will_train
    assert str(diagnosis).startswith(TRAINED)
    assert answer_of_rates(diagnosis) == TRAINED
    page = diagnosis.to_markdown()
    assert TRAINED in page
    assert "at learning rates from" not in page
    assert "Jaringan ini sudah terlatih" in diagnosis.to_markdown(language="id")
    unfitted = diagnose(MLPClassifier((32,), random_state=0), X, Y, **FAST)
    assert not unfitted.is_trained
    assert "already trained" not in str(unfitted)


class Denoiser(nn.Module):
    def __init__(self):
        super().__init__()
        self.change = network(64)

    def forward(self, x):
        return x + 0.1 * self.change(x)


@pytest.mark.parametrize("noise", [0.0, 0.1])
@pytest.mark.parametrize("inputs", [XT, batch(200, 64)], ids=["from 0 to 1", "standardized"])
def test_a_new_network_that_passes_on_inputs_close_to_the_targets_is_not_said_to_be_trained(noise, inputs):
    noisy = inputs + noise * batch(len(inputs), 64)
    diagnosis = diagnose(build(Denoiser), noisy, inputs, **FAST)
    assert diagnosis.is_trained
    assert diagnosis.inputs_reach_target
    for answer in (str(diagnosis), answer_of_rates(diagnosis)):
        assert TRAINED not in answer
        assert "it passes on its inputs, which are close to the targets. A lower target asks for more." in answer
    assert "meneruskan masukannya" in diagnosis.to_markdown(language="id")
    more = diagnose(build(Denoiser), noisy, inputs, target=1e-5, **FAST)
    assert not more.is_trained


def test_inputs_of_another_shape_or_far_from_the_targets_do_not_reach_the_target():
    inputs = batch(200, 64)
    assert not diagnose(build(Denoiser), inputs, -inputs, **FAST).inputs_reach_target
    assert not diagnose(network(10), XT, YT, **FAST).inputs_reach_target
    assert not diagnose(network(1), inputs, inputs[:, :1], **FAST).inputs_reach_target


def test_a_rate_that_destroys_what_was_learned_is_named(fitted):
    diagnosis = diagnose(fitted, X, Y, lr=30.0)
    assert not diagnosis.will_train
    assert f"{TRAINED} If it is trained further, its loss will probably not stay below the target" in str(diagnosis)
    # The gradients of a trained network differ from sample to sample; that is no fault.
    found = diagnosis.findings()
    assert not found["kind"][found["decides"]].isin(["incoherent", "small gradient"]).any()


class Functional(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(64, 10)

    def forward(self, x):
        return self.layer(x).softmax(-1)


@pytest.mark.parametrize(
    ("make", "y", "criterion"),
    [
        (lambda: network(10, nn.Softmax(-1)), YT, None),
        (lambda: network(10, nn.Softmax(-1)), YT, nn.CrossEntropyLoss(label_smoothing=0.1)),
        (lambda: build(Functional), YT, nn.functional.cross_entropy),
        (lambda: network(1, nn.Sigmoid()), IS_LARGE, nn.BCEWithLogitsLoss()),
        (lambda: network(1, nn.Sigmoid(), nn.Flatten(0)), IS_LARGE[:, 0], "BCEWithLogitsLoss"),
    ],
)
def test_probabilities_are_not_logits(make, y, criterion):
    diagnosis = diagnose(make(), XT, y, criterion=criterion, **FAST)
    assert value_of(diagnosis, "probabilities as logits") == 1.0
    advice = describe_findings(diagnosis).set_index("kind").loc["probabilities as logits", "advice"]
    for words in ("leave out the last activation function", "NLLLoss", "BCELoss"):
        assert words in advice


def test_a_rectifier_after_the_output_layer_is_found():
    assert value_of(diagnose(network(10, nn.ReLU()), XT, YT, **FAST), "one-sided logits") == 1.0
    assert value_of(diagnose(network(10, nn.ReLU(), nn.Dropout(0.1)), XT, YT, **FAST), "one-sided logits") == 1.0


@pytest.mark.parametrize(
    ("make", "y", "criterion"),
    [
        (lambda: network(10), YT, None),
        (lambda: network(10, nn.LogSoftmax(-1)), YT, "NLLLoss"),
        (lambda: network(10, nn.LogSoftmax(-1)), YT, None),
        (lambda: network(10, nn.LeakyReLU()), YT, None),
        (lambda: network(1), IS_LARGE, nn.BCEWithLogitsLoss()),
        (lambda: network(1, nn.Sigmoid()), IS_LARGE, nn.BCELoss()),
        (lambda: network(1, nn.Sigmoid()), IS_LARGE, nn.MSELoss()),
        (lambda: network(1, nn.ReLU()), IS_LARGE, nn.MSELoss()),
    ],
)
def test_outputs_that_fit_the_loss_are_no_finding(make, y, criterion):
    kinds = set(diagnose(make(), XT, y, criterion=criterion, **FAST).findings()["kind"])
    assert not kinds & {"probabilities as logits", "one-sided logits"}


def test_a_head_of_zeros_gives_logits():
    module = network(1)
    nn.init.zeros_(module[2].weight)
    nn.init.constant_(module[2].bias, 0.3)
    kinds = set(diagnose(module, XT, IS_LARGE, criterion=nn.BCEWithLogitsLoss(), **FAST).findings()["kind"])
    assert not kinds & {"probabilities as logits", "one-sided logits"}


def test_these_findings_survive_saving():
    diagnosis = diagnose(network(10, nn.Softmax(-1)), 255 * XT, YT, **FAST)
    restored = pickle.loads(pickle.dumps(diagnosis))
    assert restored.findings().equals(diagnosis.findings())
    assert np.isfinite(restored.score)


NUMBERS = (XT[:, :32].sum(1) - XT[:, 32:].sum(1)) / XT.sum(1).std()


def squared(output, y):
    return ((output - y) ** 2).mean()


class Squared(nn.Module):
    def forward(self, output, y):
        return torch.mean(torch.square(torch.sub(y, output)))


def nearest(points, targets):
    return (points[:, :, None] - targets[:, None]).square().sum(-1).min(2).values.mean()


def contrast(first, second):
    return nn.functional.cross_entropy(-(first * 2 - second).square().sum(-1), torch.arange(len(first)))


def likelihood(output, y):
    return nn.GaussianNLLLoss()(output[:, :1], y, nn.functional.softplus(output[:, 1:]) + 1e-3)


def chosen(output, y):
    return -torch.where(y > 0, nn.functional.logsigmoid(output), nn.functional.logsigmoid(-output)).mean()


@pytest.mark.filterwarnings("ignore:Using a target size")
@pytest.mark.parametrize(
    ("make", "y", "criterion"),
    [
        (lambda: network(1), NUMBERS, squared),
        (lambda: network(1), NUMBERS, Squared()),
        (lambda: network(1), NUMBERS, nn.functional.mse_loss),
        (lambda: network(1), NUMBERS, lambda output, y: nn.SmoothL1Loss(reduction="sum")(output, y) / len(y) ** 2),
        (lambda: network(1, nn.Flatten(0)), NUMBERS[:, None], squared),
        (lambda: network(1), NUMBERS[:, None], lambda output, y: squared(output.squeeze(-1), y)),
        (lambda: Named(), {"one": NUMBERS}, {"one": squared}),
        (lambda: network(2), NUMBERS, likelihood),
        (lambda: network(1), NUMBERS, chosen),
        (lambda: network(1), NUMBERS, nn.functional.hinge_embedding_loss),
    ],
)
def test_a_loss_that_compares_every_output_with_every_target_is_found(make, y, criterion):
    # All batches have this size.
    diagnosis = diagnose(make(), XT, y, criterion=criterion, batch_size=120, max_samples=240, **FAST)
    assert value_of(diagnosis, "broadcast loss") == 120


def test_a_loss_that_compares_every_output_with_every_target_is_the_cause_that_the_answer_names():
    inputs = batch(200, 64)
    diagnosis = diagnose(network(1), inputs, inputs[:, 0], criterion=squared)
    assert not diagnosis.will_train
    assert diagnosis.findings()["kind"].iloc[0] == "broadcast loss"
    assert "each output with all targets of the batch" in diagnosis.answer()
    assert "Next step: give output and y the same shape: y[:, None]" in diagnosis.answer()
    assert diagnose(network(1), inputs, inputs[:, :1], criterion=squared).will_train


def test_the_answer_tells_of_such_a_loss_also_where_it_falls():
    inputs = batch(200, 64)
    diagnosis = diagnose(network(2), inputs, inputs[:, 0] + 3, criterion=likelihood, lr=1e-2)
    assert diagnosis.will_train
    assert "each output with all targets of the batch" in diagnosis.answer()
    assert "give output and y the same shape" in diagnosis.answer()


@pytest.mark.parametrize(
    ("make", "y", "criterion"),
    [
        (lambda: network(1), NUMBERS[:, None], squared),
        (lambda: network(1), NUMBERS, lambda output, y: squared(output.squeeze(-1), y)),
        (lambda: network(1), NUMBERS, lambda output, y: squared(output, y[:, None])),
        (lambda: network(1, nn.Flatten(0)), NUMBERS, squared),
        (lambda: network(3), XT[:, :3], lambda output, y: squared(output * torch.tensor([1.0, 2.0, 3.0]), y)),
        # All pairs of samples, for a loss of ranks.
        (
            lambda: network(1),
            NUMBERS,
            lambda output, y: torch.relu(1 - (output - output.T) * torch.sign(y[:, None] - y)).mean(),
        ),
        (lambda: network(1), NUMBERS, None),
        # Sets of points, contrasts and densities: both sides get an axis, or one is transposed.
        (lambda: network(4), XT[:, :4], lambda output, y: nearest(output.view(-1, 2, 2), y.view(-1, 2, 2))),
        (lambda: network(4), XT[:, :4], lambda output, y: contrast(output.unsqueeze(1), y.unsqueeze(0))),
        (lambda: network(4), XT[:, :4], lambda output, y: contrast(output.reshape(-1, 1, 4), y.reshape(1, -1, 4))),
        (lambda: network(1), NUMBERS[:, None], lambda output, y: (output - y.T).abs().min(0).values.mean()),
    ],
)
def test_a_loss_that_compares_each_output_with_its_target_is_no_finding(make, y, criterion):
    assert value_of(diagnose(make(), XT, y, criterion=criterion, batch_size=20, **FAST), "broadcast loss") is None


class Named(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = network(1)

    def forward(self, x):
        return {"one": self.layers(x)}
