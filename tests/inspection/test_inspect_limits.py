"""Inspections accept the documented arguments, refuse all others, and leave the module unchanged."""

from contextlib import nullcontext

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.datasets import load_iris
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from initsk import MLPClassifier, NeuralNetClassifier, inspect_activations
from initsk.exceptions import ModuleError
from tests.helpers import batch, build, hooks_of

X, Y = batch(7, 3), torch.arange(7) % 2


def net():
    module = build(
        lambda: nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Dropout(0.5), nn.Linear(4, 2))
    )
    # Moments of its own: those of a new layer would give way to the moments of each batch.
    module[1].num_batches_tracked.fill_(1)
    return module


class Raising(nn.Module):
    def __init__(self, error):
        super().__init__()
        self.error = error

    def forward(self, x):
        raise self.error


@pytest.mark.parametrize("error", [None, RuntimeError("broken"), KeyboardInterrupt()])
@pytest.mark.parametrize("arguments", [{}, {"gradients": True}, {"training": True}, {"layers": "0"}])
def test_the_module_is_as_before(error, arguments):
    module = net()
    module[0].eval()
    module[4].requires_grad_(False)
    module[0].weight.grad = torch.ones(4, 3)
    if error is not None:
        module.append(Raising(error))
    before = {name: value.clone() for name, value in module.state_dict().items()}
    state = torch.random.get_rng_state()
    kind = ModuleError if isinstance(error, Exception) else KeyboardInterrupt
    with nullcontext() if error is None else pytest.raises(kind) as caught:
        inspect_activations(module, X, Y, batch_size=4, **arguments)
    assert error is None or error in (caught.value, caught.value.__cause__)
    assert [part.training for part in module.modules()][:3] == [True, False, True]
    assert not hooks_of(module)
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())
    assert [p.requires_grad for p in module.parameters()] == [True] * 4 + [False] * 2
    assert torch.equal(module[0].weight.grad, torch.ones(4, 3))
    assert all(p.grad is None for p in list(module.parameters())[1:])
    assert torch.equal(torch.random.get_rng_state(), state)
    assert torch.is_grad_enabled()
    assert not torch.overrides.has_torch_function((torch.ones(1),))


@pytest.mark.parametrize(
    "stream",
    [
        lambda: DataLoader(TensorDataset(X, Y), 3),
        lambda: DataLoader(X, 2),
        lambda: TensorDataset(X, Y),
        lambda: iter(X.split(4)),
        lambda: ((part, None) for part in X.split(5)),
        lambda: pd.DataFrame(X.numpy()),
        lambda: X.double().numpy(),
        lambda: (X,),
        lambda: {"input": X},
        lambda: X.tolist(),
    ],
)
def test_data_of_any_kind(stream):
    expected = inspect_activations(net(), X).to_frame()
    pd.testing.assert_frame_equal(inspect_activations(net(), stream()).to_frame(), expected, rtol=1e-5)


def test_pairs_of_a_stream_have_targets():
    alone = inspect_activations(net(), X, Y, gradients=True)
    streamed = inspect_activations(net(), DataLoader(TensorDataset(X, Y), 3), gradients=True)
    pd.testing.assert_frame_equal(streamed.to_frame("gradients"), alone.to_frame("gradients"), rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("layers", [None, "1", -1])
def test_modules_in_place_do_not_change_the_data(layers):
    module = build(lambda: nn.Sequential(nn.LeakyReLU(-1.0, inplace=True), nn.Linear(3, 2)))
    given = X.clone()
    found = inspect_activations(module, given, layers=layers, batch_size=3).to_frame().set_index(["layer", "position"])
    assert torch.equal(given, X)
    expected = nn.functional.linear(X.abs(), module[1].weight, module[1].bias)
    assert found.loc[("1", "output"), "mean"] == pytest.approx(float(expected.mean().detach()), abs=1e-6)


def test_dropout_and_batch_norm_in_training():
    frame = inspect_activations(net(), X, training=True).to_frame().set_index(["layer", "position"])
    # Batch normalization uses the batch.
    assert frame.loc[("1", "pre_activation"), "mean"] == pytest.approx(0, abs=1e-6)
    assert frame.loc[("1", "pre_activation"), "std"] == pytest.approx(1, abs=1e-3)
    pd.testing.assert_frame_equal(inspect_activations(net(), X, training=True).to_frame(), frame.reset_index())


@pytest.mark.parametrize(
    "wrapped",
    [
        lambda m: torch.compile(m, backend="eager"),
        nn.DataParallel,
        lambda m: nn.Sequential(*[torch.compile(part, backend="eager") for part in m]),
        lambda m: (m[0].compile(backend="eager"), m)[1],
    ],
)
def test_wrapped_modules_are_inspected(wrapped):
    expected = inspect_activations(net(), X).to_frame()
    pd.testing.assert_frame_equal(inspect_activations(wrapped(net()), X).to_frame(), expected)


def scripted():
    return torch.jit.script(nn.Sequential(nn.Linear(3, 3)))


def quantized():
    return torch.ao.quantization.quantize_dynamic(nn.Sequential(nn.Linear(3, 3)), {nn.Linear})


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")
@pytest.mark.parametrize(
    ("make", "words"),
    [
        (scripted, "hides its layers"),
        (lambda: nn.Sequential(nn.ReLU(), scripted()), r"1 is scripted .* \(allowed: the module before torch.jit\)"),
        (quantized, "0 is quantized"),
        (lambda: nn.Linear(3, 3, device="meta"), "weight is on the meta device"),
        (lambda: nn.Flatten(), "no layer"),
        (lambda: "net", "torch.nn.Module"),
    ],
)
def test_modules_that_hide_their_layers_are_an_error(make, words):
    with pytest.raises(ValueError, match=words):
        inspect_activations(build(make), X)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"layers": "00"}, "unknown layer '00'"),
        ({"layers": nn.Conv2d}, "unknown class 'Conv2d'"),
        ({"layers": [9, lambda name, part: False]}, "from -3 to 2.*chooses no layer"),
        ({"bins": 1, "batch_size": 0, "positions": "after"}, "bins=1 .*batch_size=0 |batch_size=0 .*bins=1 "),
        ({"measures": ["rank"]}, "'units', 'samples', 'spectrum'"),
        ({"edges": [1, 0]}, "increase"),
        ({"gradients": True}, "needs y"),
        ({"y": [0, 1]}, "y has 2 rows, and X has 7"),
        ({"padding_mask": torch.zeros(7, 3)}, "True or False"),
        ({"optimizer": 3}, "optimizer=3 is not allowed .a name, an optimizer of torch"),
        ({"random_state": -1}, "random_state"),
    ],
)
def test_invalid_arguments_are_an_error(arguments, words):
    with pytest.raises(ValueError, match=words):
        inspect_activations(net(), X, **arguments)


def test_text_as_input_is_an_error():
    with pytest.raises(ValueError, match="numbers"):
        inspect_activations(net(), [["a", "b", "c"]])


def test_estimators_of_every_kind():
    features, labels = load_iris(return_X_y=True)
    names = np.array(["a", "b", "c"])[labels]
    clf = MLPClassifier((4,), max_epochs=2, random_state=0)
    pipe = make_pipeline(StandardScaler(), clf)
    initial = inspect_activations(pipe, features, names).to_frame()
    scaled = StandardScaler().fit_transform(features)
    pd.testing.assert_frame_equal(initial, inspect_activations(clf, scaled, names).to_frame())
    search = GridSearchCV(pipe, {"mlpclassifier__lr": [0.1]}, cv=2).fit(features, names)
    fitted = search.best_estimator_[-1]
    pd.testing.assert_frame_equal(
        inspect_activations(search, features).to_frame(), inspect_activations(fitted.net_.module_, scaled).to_frame()
    )
    back = inspect_activations(fitted, scaled, names, gradients=True)
    assert back.parameters()["update_to_weight"].gt(0).sum() == 4
    with pytest.raises(ValueError, match="labels that the model does not have: 'd'"):
        inspect_activations(fitted, scaled[:1], ["d"], gradients=True)
    skorch_net = NeuralNetClassifier(net(), criterion=nn.CrossEntropyLoss, initializer="lsuv", random_state=0)
    frame = inspect_activations(skorch_net, X, Y).to_frame().set_index(["layer", "position"])
    assert frame.loc[("0", "output"), "std"] == pytest.approx(1, abs=0.1)
