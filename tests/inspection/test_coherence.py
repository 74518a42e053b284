"""What samples teach, and what theory expects of a network: known answers and laws."""

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch import nn

from initsk import MLPClassifier, initialize
from initsk.diagnosis import predict_signal
from initsk.exceptions import InvalidParameterError, ModuleError
from initsk.initializers import Centred, Constant, VarianceScaling
from initsk.inspection import gradient_coherence
from initsk.network import MLP
from tests.helpers import batch, build

CENTRED = Centred(VarianceScaling(16.0, distribution="orthogonal"))
X, Y = load_digits(return_X_y=True)
X = (X / 16).astype("float32")


def test_what_a_linear_layer_is_taught_is_the_covariance():
    # The gradient of x^T w, less the mean of what is sent back, is the covariance of inputs and errors.
    module = build(lambda: nn.Linear(5, 1))
    inputs, targets = batch(400, 5), batch(400, 1, seed=1)
    signal = gradient_coherence(module, inputs, targets)
    sizes = []
    for half in (slice(0, 200), slice(200, 400)):
        errors = (module(inputs[half]) - targets[half]).detach()
        errors = errors - errors.mean(0)
        sizes.append(((errors * inputs[half]).mean(0).norm() ** 2, errors.square().mean()))
    expected = (sum(g for g, _ in sizes) / sum(e for _, e in sizes)) ** 0.5
    assert signal.sizes["weight"] == pytest.approx(expected.item(), rel=1e-4)
    # A bias moves all outputs together, and hears nothing of what tells samples apart.
    assert signal.sizes["bias"] == pytest.approx(0, abs=1e-6)
    assert list(signal.agreements) == ["weight"]


def test_the_loss_scale_does_not_matter():
    module = build(lambda: MLP(64, 10, (16,)))
    one, ten = (
        gradient_coherence(module, X, Y, criterion=lambda output, y, f=f: f * nn.functional.cross_entropy(output, y))
        for f in (1.0, 10.0)
    )
    assert ten.size == pytest.approx(one.size, rel=1e-5)
    assert ten.agreements == pytest.approx(one.agreements, rel=1e-5)
    assert ten.loss == pytest.approx(10 * one.loss, rel=1e-6)


def test_agreement_does_not_depend_on_the_number_of_samples():
    module = build(lambda: MLP(64, 10, (64, 64)))
    initialize(module, "he_normal", random_state=0)
    order = np.random.default_rng(0).permutation(len(X))
    few, many = (gradient_coherence(module, X[order[:n]], Y[order[:n]]).agreement for n in (128, 1024))
    # Cosines themselves differ by more: 1 / (1 + N / n) for n = 64 and 512.
    assert few == pytest.approx(many, abs=0.1)
    assert 0.5 < many < 1


def test_labels_at_random_teach_nothing():
    module = build(lambda: MLP(64, 10, (64, 64)))
    initialize(module, "he_normal", random_state=0)
    labels = np.random.default_rng(0).integers(0, 10, len(X))
    assert (
        gradient_coherence(module, X, labels).agreement < 0.2 < 0.8 < gradient_coherence(module, X, Y).agreement + 0.1
    )


def test_nothing_is_left_behind():
    clf = MLPClassifier((16,), random_state=0).initialize(X, Y)
    module = clf.net_.module_
    before = {name: values.clone() for name, values in module.state_dict().items()}
    gradient_coherence(clf, X, Y)
    assert all(torch.equal(values, before[name]) for name, values in module.state_dict().items())
    assert all(parameter.grad is None for parameter in module.parameters())


@pytest.mark.parametrize(
    ("activation", "initializer"),
    [("tanh", "he_normal"), ("tanh", "orthogonal"), ("tanh", "edge_of_chaos"), ("tanh", "torch_default"),
     ("gelu", "auto"), ("sigmoid", "he_normal"), ("sigmoid", CENTRED)],
    ids=str,
)  # fmt: skip
def test_draws_lie_where_they_are_expected(activation, initializer):
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


def test_weights_as_they_are_and_as_they_would_be():
    module = build(lambda: MLP(300, 10, (300,), activation="relu"))
    initialize(module, "he_normal", random_state=0)
    drawn, law = predict_signal(module), predict_signal(module, "he_normal")
    np.testing.assert_allclose(drawn["forward"], law["forward"], rtol=0.2)
    assert law["forward"].tolist() == pytest.approx([2.0, 1.0, 2.0])
    initialize(module, Constant(0.0))
    assert (predict_signal(module)["forward"] == 0).all()


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (
            lambda: predict_signal(build(lambda: nn.Sequential(nn.Linear(2, 2), nn.LayerNorm(2)))),
            ModuleError,
            "plain chain of layers",
        ),
        (lambda: predict_signal(build(lambda: MLP(4, 2)), "lsuv"), ModuleError, "goes on by what it measures"),
        (lambda: predict_signal(build(lambda: MLP(4, 2)), torch.nn.init.normal_), ModuleError, "expected no variance"),
        (lambda: predict_signal(build(lambda: MLP(4, 2)), level=1), InvalidParameterError, "level=1 is not allowed"),
        (
            lambda: predict_signal(build(lambda: MLP(4, 2)), "ones"),
            ModuleError,
            "weights of mean 0, and those of 'ones'",
        ),
        (lambda: gradient_coherence(build(lambda: nn.Flatten()), X, Y), ModuleError, "no parameter is trained"),
    ],
)
def test_wrong_use(call, error, words):
    with pytest.raises(error, match=words):
        call()
