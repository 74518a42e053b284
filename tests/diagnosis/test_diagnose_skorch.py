"""Diagnoses of skorch nets: their start, their loss and the steps of their fit."""

import numpy as np
import pytest
import skorch
import torch
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from skorch.helper import predefined_split
from torch import nn

from initsk import MLPClassifier, diagnose, inspect_activations, recommend_initializer
from initsk.diagnosis import predict_signal
from initsk.inspection import ActivationInspector, gradient_coherence
from initsk.network import MLP
from initsk.testing._global_state import global_state
from tests.helpers import build

N = 200
X = np.random.default_rng(0).normal(size=(N, 8)).astype(np.float32)
CLASSES = (X[:, 0] > 0).astype(np.int64) + (X[:, 1] > 0)


def classifier(kind=skorch.NeuralNetClassifier, module=MLP, **options):
    """Return a net with logits for three classes, not initialized."""
    options = {"module__n_features": 8, "module__n_outputs": 3} | options
    return kind(module, **{"criterion": nn.CrossEntropyLoss, "lr": 0.1, "max_epochs": 10, "verbose": 0} | options)


def noisy(inputs):
    """Return inputs with noise of numpy's global generator."""
    return inputs + np.random.normal(size=inputs.shape).astype(np.float32)  # noqa: NPY002 - as a user's function


MEASURES = {
    "diagnose": lambda net: diagnose(net, X, CLASSES).trial["loss"],
    # Without time, it measures "auto" alone.
    "recommend_initializer": lambda net: recommend_initializer(net, X, CLASSES, time_limit=1e-6).measured["loss"],
    "inspect_activations": lambda net: inspect_activations(net, X).to_frame()["std"],
    "gradient_coherence": lambda net: gradient_coherence(net, X, CLASSES).size,
    "predict_signal": lambda net: predict_signal(net)["forward"],
}


def check_that_it_repeats_without_a_trace(measure, net):
    before = global_state()
    first, second = measure(net), measure(net)
    np.testing.assert_array_equal(first, second)
    assert global_state() == before


@pytest.mark.parametrize("pipeline", [False, True])
@pytest.mark.parametrize("measure", MEASURES)
def test_an_unfitted_net_is_measured_without_a_trace(measure, pipeline):
    net = make_pipeline(FunctionTransformer(noisy), classifier()) if pipeline else classifier()
    check_that_it_repeats_without_a_trace(MEASURES[measure], net)


def test_an_inspector_initializes_without_a_trace():
    def measure(net):
        return ActivationInspector(net, when="initialized").fit(X, CLASSES).transform(X)

    check_that_it_repeats_without_a_trace(measure, classifier())


def test_the_weights_are_those_from_which_a_fit_would_start():
    net = classifier(max_epochs=1, batch_size=-1, train_split=None)
    loss = gradient_coherence(net, X, CLASSES).loss
    with torch.random.fork_rng():
        net.fit(X, CLASSES)
    # A single batch, whose loss is that before the step.
    assert net.history[0, "train_loss"] == pytest.approx(loss, rel=1e-5)


LABELS = (X[:, 0] > -0.5).astype(np.float32)


def binary(shape):
    """Return a net with a score for each sample, as a column or as a vector."""
    last = nn.Flatten(0) if shape == "vector" else nn.Identity()
    module = build(lambda: nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 1), last))
    return skorch.NeuralNetBinaryClassifier(module, lr=0.5, max_epochs=100, verbose=0)


@pytest.mark.parametrize("fitted", [False, True])
@pytest.mark.parametrize("shape", ["column", "vector"])
def test_a_binary_classifier_is_diagnosed(shape, fitted):
    net = binary(shape)
    if fitted:
        with torch.random.fork_rng():
            net.fit(X, LABELS, epochs=1)
    diagnosis = diagnose(net, X, LABELS)
    rate = LABELS.mean(dtype=float)
    assert diagnosis.baseline_loss == pytest.approx(-rate * np.log(rate) - (1 - rate) * np.log(1 - rate))
    assert diagnosis.will_train
    assert recommend_initializer(net, X, LABELS, time_limit=1e-6).measured["score"].max() > 0.5


def test_measures_of_a_binary_classifier_are_those_of_its_module():
    net, module = binary("column"), binary("vector").module
    targets = torch.tensor(LABELS)
    loss = nn.functional.binary_cross_entropy_with_logits
    expected = gradient_coherence(module, X, targets, criterion=loss)
    assert gradient_coherence(net, X, LABELS).loss == pytest.approx(expected.loss, rel=1e-6)
    found = inspect_activations(net, X, LABELS, gradients=True).parameters()
    of_module = inspect_activations(module, X, targets, gradients=True, criterion=loss).parameters()
    np.testing.assert_allclose(found["gradient_norm"], of_module["gradient_norm"], rtol=1e-5)


def test_labels_of_a_net_are_learned_as_they_are():
    """A skorch net does not encode labels, not even after a fit that saw other ones."""
    net = classifier()
    with torch.random.fork_rng():
        net.fit(X[CLASSES > 0], CLASSES[CLASSES > 0])
    expected = nn.functional.cross_entropy(net.module_(torch.tensor(X)), torch.tensor(CLASSES))
    assert gradient_coherence(net, X, CLASSES).loss == pytest.approx(expected.item(), rel=1e-5)


def losing(change, kind=skorch.NeuralNetClassifier):
    """Return a class of nets with a loss that is a function of the usual one."""

    class Losing(kind):
        def get_loss(self, y_pred, y_true, *args, **kwargs):
            return change(super().get_loss(y_pred, y_true, *args, **kwargs))

    return Losing


def entropy(labels):
    shares = np.bincount(labels) / len(labels)
    return -(shares * np.log(shares)).sum()


class Probabilities(MLP):
    def forward(self, x):
        return super().forward(x).softmax(dim=-1)


SOFTMAX = {"module": Probabilities, "criterion": nn.NLLLoss}


@pytest.mark.parametrize("options", [{}, SOFTMAX])
@pytest.mark.parametrize("factor", [100.0, 1.0, 0.01])
def test_the_baseline_is_that_of_an_overridden_loss(factor, options):
    # Adam's steps do not depend on the factor.
    adam = {"optimizer": torch.optim.Adam, "lr": 0.01, "optimizer__eps": 1e-12, "max_epochs": 50}
    scaled = classifier(losing(lambda loss: loss * factor), **adam, **options)
    found, plain = diagnose(scaled, X, CLASSES), diagnose(classifier(**adam, **options), X, CLASSES)
    assert plain.baseline_loss == pytest.approx(entropy(CLASSES))
    assert found.baseline_loss == pytest.approx(factor * entropy(CLASSES), rel=0.01)
    assert found.will_train
    assert plain.will_train


def test_a_net_that_does_not_move_does_not_train_whatever_its_loss_is_multiplied_by():
    for factor in (100.0, 0.01):
        net = classifier(losing(lambda loss, factor=factor: loss * factor), lr=1e-5 / factor)
        assert not diagnose(net, X, CLASSES).will_train


def test_a_constant_loss_is_not_learned():
    diagnosis = diagnose(classifier(losing(lambda loss: loss * 0 + 1)), X, CLASSES)
    assert diagnosis.baseline_loss == pytest.approx(1)
    assert not diagnosis.will_train


def test_a_loss_of_several_outputs_has_no_known_baseline():
    class Coded(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.last = nn.Linear(8, 8), nn.Linear(8, 8)

        def forward(self, x):
            code = self.first(x)
            return self.last(code), code

    class Autoencoder(skorch.NeuralNet):
        def get_loss(self, y_pred, y_true, *args, **kwargs):
            decoded, code = y_pred
            return 50 * super().get_loss(decoded, y_true, *args, **kwargs) + 1e-3 * code.square().mean()

    net = Autoencoder(Coded, criterion=nn.MSELoss, optimizer=torch.optim.Adam, lr=0.01, max_epochs=100, verbose=0)
    diagnosis = diagnose(net, X, X)
    assert np.isnan(diagnosis.baseline_loss)
    assert diagnosis.will_train


def test_a_criterion_without_a_formula_has_a_searched_baseline():
    net = classifier(skorch.NeuralNetRegressor, module__n_outputs=1, criterion=nn.L1Loss, lr=0.01)
    assert diagnose(net, X, X[:, :1]).baseline_loss == pytest.approx(
        np.abs(X[:, 0] - np.median(X[:, 0])).mean(), rel=0.02
    )


class Counted(skorch.callbacks.Callback):
    """Counts the training steps of a net."""

    def on_train_begin(self, net, **kwargs):
        self.n_steps = 0

    def on_batch_end(self, net, training, **kwargs):
        self.n_steps += bool(training)


def n_steps_of_fit(net, *data):
    counted = Counted()
    with torch.random.fork_rng():
        clone(net).set_params(callbacks=[counted]).fit(*data)
    return counted.n_steps


@pytest.mark.parametrize(
    "options",
    [
        {"batch_size": 16},
        {"batch_size": 16, "train_split": None},
        {
            "batch_size": 16,
            "iterator_train__drop_last": True,
            "train_split": skorch.dataset.ValidSplit(0.26, random_state=1),
        },
        {"batch_size": 16, "iterator_train__batch_size": 7},
        {"batch_size": -1},
        {"batch_size": 16, "train_split": predefined_split(skorch.dataset.Dataset(X[:50], CLASSES[:50]))},
        {"batch_size": 16, "train_split": skorch.dataset.ValidSplit(0.3, random_state=1)},
    ],
)
def test_the_budget_is_the_number_of_steps_of_a_fit(options):
    net = classifier(max_epochs=3, **options)
    assert diagnose(net, X, CLASSES).budget == n_steps_of_fit(net, X, CLASSES)
    assert diagnose(net, X, CLASSES, budget=17).budget == 17


@pytest.mark.parametrize("split", [skorch.dataset.ValidSplit(4), skorch.dataset.ValidSplit(4, stratified=True), None])
def test_the_budget_for_a_data_set_is_that_of_its_fit(split):
    data = skorch.dataset.Dataset(X, CLASSES)
    net = classifier(max_epochs=3, batch_size=16, train_split=split)
    assert diagnose(net, data).budget == n_steps_of_fit(net, data, CLASSES)


def test_a_split_of_a_rare_class_gives_no_warning():
    rare = np.where(np.arange(N) < 2, 1, 0)
    assert diagnose(classifier(max_epochs=3, batch_size=16), X, rare).budget == 3 * 10


def test_the_generator_of_a_split_stays_as_it_is():
    generator = np.random.RandomState(0)
    split = skorch.dataset.ValidSplit(0.2, random_state=generator)
    with torch.random.fork_rng():
        net = classifier(train_split=split, max_epochs=1).fit(X, CLASSES)
    before = generator.get_state()[1:]
    diagnose(net, X, CLASSES)
    np.testing.assert_equal(generator.get_state()[1:], before)


@pytest.mark.parametrize(
    ("options", "size"),
    [({"batch_size": 16}, 16), ({"batch_size": 16, "iterator_train__batch_size": 7}, 7), ({"batch_size": -1}, 160)],
)
def test_the_batches_of_the_trial_are_those_of_a_fit(options, size):
    net = classifier(max_epochs=500, **options)
    loss = diagnose(net, X, CLASSES).trial["loss"]
    np.testing.assert_array_equal(loss, diagnose(net, X, CLASSES, batch_size=size).trial["loss"])
    assert loss[0] != diagnose(net, X, CLASSES, batch_size=20).trial["loss"][0]


class NeedsX(skorch.NeuralNetClassifier):
    """Net whose loss looks at its inputs."""

    def get_loss(self, y_pred, y_true, X=None, training=False):
        return super().get_loss(y_pred, y_true) + 0 * X.abs().mean()


def test_a_loss_that_needs_the_inputs_is_that_of_the_net():
    plain, needing = classifier(), classifier(NeedsX)
    for measure in ("diagnose", "inspect_activations", "gradient_coherence"):
        np.testing.assert_allclose(MEASURES[measure](needing), MEASURES[measure](plain), rtol=1e-6)
    gradients = [
        inspect_activations(net, X, CLASSES, gradients=True).to_frame("gradients")["std"] for net in (plain, needing)
    ]
    np.testing.assert_allclose(*gradients, rtol=1e-6)
    assert np.isfinite(diagnose(needing, X, CLASSES, trial_steps=5).baseline_loss)


def test_batches_larger_than_max_samples_have_two_halves():
    net = classifier(batch_size=-1)
    diagnosis = diagnose(net, X, CLASSES, trial_steps=5, max_samples=64)
    assert len(diagnosis.setup.batches) == 2
    assert [batch.n_samples for batch in diagnosis.setup.batches] == [32, 32]
    assert diagnosis.measurements.coherence.agreements


@pytest.mark.parametrize("weighted", [False, True])
def test_the_budget_counts_the_steps_of_a_fit_that_holds_out_samples(weighted):
    clf = MLPClassifier((4,), early_stopping=True, validation_fraction=0.4, max_epochs=3, batch_size=10, random_state=0)
    assert diagnose(clf, X, CLASSES, trial_steps=5).budget == 3 * 12
    weights = np.ones(N) if weighted else None
    fitted = clone(clf).fit(X, CLASSES, sample_weight=weights)
    assert fitted.net_.history[0, "train_batch_count"] == 12
    assert diagnose(fitted, X, CLASSES, trial_steps=5).budget == 3 * 12
