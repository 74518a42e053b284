"""Steps without autograd on one flat tensor equal skorch's steps, to rounding."""

import copy

import numpy as np
import pytest
import skorch
import torch
from sklearn.datasets import load_iris
from sklearn.preprocessing import StandardScaler
from skorch.callbacks import LRScheduler
from torch import nn
from torch.nn.modules import module as module_hooks
from torch.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook

from initsk import MLPClassifier, MLPRegressor
from tests.helpers import Listening

ACTIVATIONS = [
    "relu", "tanh", "sigmoid", "leaky_relu", "elu", "gelu", "silu", "identity",
    nn.LeakyReLU(0.3), nn.ELU(0.7), nn.GELU("tanh"), ["relu", "tanh"],
]  # fmt: skip
OPTIMIZERS = [
    ("adam", {}), ("adam", {"amsgrad": True, "weight_decay": 0.1}), ("adamw", {}), ("rmsprop", {"momentum": 0.5}),
    ("sgd", {}), ("sgd", {"momentum": 0.9, "nesterov": True}), (torch.optim.Adagrad, {}), (torch.optim.NAdam, {}),
    (torch.optim.RAdam, {}), (torch.optim.Adamax, {}), (torch.optim.Adadelta, {}),
]  # fmt: skip


@pytest.fixture(scope="module")
def iris():
    X, y = load_iris(return_X_y=True)
    return StandardScaler().fit_transform(X).astype(np.float32), y


def fit(data, callbacks, kind=MLPClassifier, weight=None, **arguments):
    settings = {"hidden_layer_sizes": (16, 8), "max_epochs": 3, "lr": 0.01, "random_state": 0, **arguments}
    return kind(**settings, callbacks=callbacks).fit(*data, sample_weight=weight)


def assert_same(fast, slow, rtol=1e-4, atol=1e-6):
    for (name, ours), theirs in zip(fast.net_.module_.named_parameters(), slow.net_.module_.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=rtol, atol=atol, msg=lambda m, name=name: f"{name}: {m}")
        torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-3, atol=1e-5)
        mine, others = (e.net_.optimizer_.state[p] for e, p in ((fast, ours), (slow, theirs)))
        assert mine.keys() == others.keys()
        for key in mine:
            assert type(mine[key]) is type(others[key])
            torch.testing.assert_close(mine[key], others[key], rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("activation", ACTIVATIONS, ids=str)
@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])
def test_every_activation_function_equals_autograd(iris, activation, kind):
    assert_same(*(fit(iris, callbacks, kind, activation=activation) for callbacks in (None, [Listening()])))


@pytest.mark.parametrize(("optimizer", "options"), OPTIMIZERS, ids=str)
def test_every_optimizer_equals_its_own_steps(iris, optimizer, options):
    arguments = {"optimizer": optimizer, "optimizer_params": options}
    assert_same(*(fit(iris, callbacks, **arguments) for callbacks in (None, [Listening()])))


@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])
@pytest.mark.parametrize("batch_size", [7, 32, 1000])
def test_sample_weights_and_batch_sizes_equal_autograd(iris, kind, batch_size):
    weight = np.random.default_rng(0).uniform(0, 2, size=150)
    weight[::7] = 0
    assert_same(*(fit(iris, c, kind, weight, batch_size=batch_size) for c in (None, [Listening()])))


def test_several_outputs_equal_autograd(iris):
    X = iris[0]
    assert_same(*(fit((X, X @ np.ones((4, 3))), callbacks, MLPRegressor) for callbacks in (None, [Listening()])))


def test_several_labels_equal_autograd(iris):
    weight = np.random.default_rng(0).uniform(0, 2, size=150)
    for given in (None, weight):
        assert_same(*(fit((iris[0], iris[0] > 0), c, weight=given) for c in (None, [Listening()])))


def test_a_linear_model_equals_autograd(iris):
    assert_same(*(fit(iris, callbacks, hidden_layer_sizes=()) for callbacks in (None, [Listening()])))


def test_input_of_bytes_equals_autograd(iris):
    X = np.random.default_rng(0).integers(0, 256, size=(150, 9), dtype=np.uint8)
    assert_same(*(fit((X, iris[1]), c, input_scale=1 / 255) for c in (None, [Listening()])))


def test_histories_are_equal(iris):
    fast, slow = (fit(iris, callbacks, early_stopping=True) for callbacks in (None, [Listening()]))
    ours, theirs = fast.history_, slow.history_
    assert ours.columns.tolist() == theirs.columns.tolist()
    for column in ours.columns.drop("dur"):
        np.testing.assert_allclose(ours[column].astype(float), theirs[column].astype(float), rtol=1e-4)
    batches = [[{k: round(v, 4) for k, v in b.items()} for b in e.net_.history[-1, "batches"]] for e in (fast, slow)]
    assert batches[0] == batches[1]


def test_learning_rate_schedules_apply(iris):
    def schedule():
        return LRScheduler(torch.optim.lr_scheduler.ExponentialLR, gamma=0.5)

    fast, slow = fit(iris, [schedule()]), fit(iris, [schedule(), Listening()])
    assert_same(fast, slow)
    assert fast.history_["event_lr"].tolist() == pytest.approx([0.01, 0.005, 0.0025])


def test_fast_and_slow_epochs_can_alternate(iris):
    """Fast and slow epochs share the state of parameters and optimizer."""
    fast = fit(iris, None, warm_start=True)
    mixed = fit(iris, None, warm_start=True)
    mixed.net_.callbacks_.append(("listening", Listening()))
    assert_same(fast.fit(*iris), mixed.fit(*iris))
    mixed.net_.callbacks_.pop()
    assert_same(fast.fit(*iris), mixed.fit(*iris))


@pytest.fixture
def calls(iris, monkeypatch):
    """Return a function that counts the backward passes of autograd in an epoch."""
    original = torch.Tensor.backward

    def backward(self, *args, **kwargs):
        seen.append(1)
        return original(self, *args, **kwargs)

    def count(**arguments):
        seen.clear()
        fit(iris, arguments.pop("callbacks", None), max_epochs=1, **arguments)
        return len(seen)

    seen = []
    monkeypatch.setattr(torch.Tensor, "backward", backward)
    return count


def test_autograd_runs_only_if_a_difference_could_be_observed(calls):
    assert calls() == 0
    assert calls(callbacks=[LRScheduler(torch.optim.lr_scheduler.ExponentialLR, gamma=0.5)]) == 0
    assert calls(callbacks=[skorch.callbacks.EpochScoring("accuracy")], early_stopping=True) == 0
    assert calls(callbacks=[Listening()]) == 5
    assert calls(callbacks=[LRScheduler(torch.optim.lr_scheduler.StepLR, step_every="batch", step_size=2)]) == 5
    assert calls(callbacks=[skorch.callbacks.GradientNormClipping(1.0)]) == 5
    assert calls(dropout=0.1) == 5
    assert calls(normalization="batch_norm") == 5
    assert calls(activation=torch.sin) == 5
    assert calls(activation="prelu") == 5


class ChangeBeforeTraining(skorch.callbacks.Callback):
    """Make a change before training that only skorch's own steps take into account."""

    def __init__(self, change):
        self.change = change

    def on_train_begin(self, net, **kwargs):
        self.change(net)


def freeze(net):
    net.module_.hidden_1.weight.requires_grad_(False)


def hook_step(net):
    net.optimizer_.register_step_post_hook(lambda *_: None)


def two_groups(net):
    first, *rest = net.module_.parameters()
    net.optimizer_ = torch.optim.Adam([{"params": [first], "lr": 0.1}, {"params": rest}], lr=0.01)


def hook_gradient(net):
    net.module_.hidden_1.weight.register_hook(lambda g: g * 2)


def other_forward(net):
    part = net.module_.activation_1
    part.forward = lambda X: torch.relu(X) * 2


def hook_accumulated_gradient(net):
    def double(parameter):
        parameter.grad *= 2

    net.module_.hidden_1.weight.register_post_accumulate_grad_hook(double)


def hook_forward(net):
    net.module_.hidden_1.register_forward_hook(lambda part, args, output: output * 2)


def hook_inputs(net):
    net.module_.hidden_1.register_forward_pre_hook(lambda part, args: (args[0] * 2,))


def hook_backward(net):
    net.module_.hidden_2.register_full_backward_hook(lambda part, inputs, outputs: (inputs[0] * 2,))


def hook_before_backward(net):
    net.module_.hidden_2.register_full_backward_pre_hook(lambda part, outputs: (outputs[0] * 2,))


def hook_before_step(net):
    net.optimizer_.register_step_pre_hook(lambda *_: None)


CHANGES = [
    freeze, hook_step, hook_before_step, two_groups, hook_gradient, hook_accumulated_gradient, hook_forward,
    hook_inputs, hook_backward, hook_before_backward, other_forward,
]  # fmt: skip


@pytest.mark.parametrize("change", CHANGES)
def test_unusual_modules_and_optimizers_run_skorchs_steps(iris, calls, change):
    assert calls(callbacks=[ChangeBeforeTraining(change)]) == 5
    assert_weights_equal(
        fit(iris, [ChangeBeforeTraining(change)]), fit(iris, [ChangeBeforeTraining(change), Listening()])
    )


@pytest.mark.parametrize(
    "register",
    [
        module_hooks.register_module_forward_hook,
        module_hooks.register_module_forward_pre_hook,
        register_optimizer_step_pre_hook,
        register_optimizer_step_post_hook,
    ],
)
def test_global_hooks_run_skorchs_steps(calls, register):
    handle = register(lambda *_: None)
    try:
        assert calls() == 5
    finally:
        handle.remove()
    assert calls() == 0


def broken(*args, **kwargs):
    raise RuntimeError("a later torch has other arguments here")


def wrong(*args, **kwargs):
    return torch.zeros_like(args[0])


KERNELS = [
    ("threshold_backward", "relu"), ("tanh_backward", "tanh"), ("sigmoid_backward", "sigmoid"),
    ("leaky_relu_backward", "leaky_relu"), ("elu_backward", "elu"), ("gelu_backward", "gelu"),
    ("silu_backward", "silu"), ("nll_loss_forward", "relu"), ("nll_loss_backward", "relu"),
    ("_log_softmax_backward_data", "relu"),
]  # fmt: skip


@pytest.mark.parametrize(("kernel", "activation"), KERNELS)
@pytest.mark.parametrize("replacement", [pytest.param(None, marks=pytest.mark.slow), broken, wrong])
def test_without_a_kernel_autograd_gives_the_same(iris, calls, monkeypatch, kernel, activation, replacement):
    weight = np.linspace(0.5, 1.5, 150)
    fast = fit(iris, None, activation=activation, weight=weight)
    monkeypatch.setattr(torch.ops.aten, kernel, replacement)
    assert calls(activation=activation) == 5
    assert_same(fast, fit(iris, None, activation=activation, weight=weight))


@pytest.mark.parametrize(("kernel", "optimizer"), [("_fused_adam_", "adam"), ("_fused_adamw_", "adamw")])
@pytest.mark.parametrize("replacement", [None, broken, wrong])
def test_without_a_kernel_the_optimizer_gives_the_same(iris, monkeypatch, kernel, optimizer, replacement):
    fast = fit(iris, None, optimizer=optimizer)
    own = getattr(torch, kernel)
    # The optimizer itself calls the kernel, with more arguments.
    monkeypatch.setattr(torch, kernel, lambda *a, **k: own(*a, **k) if "grad_scale" in k else replacement(*a, **k))
    assert_weights_equal(fast, fit(iris, None, optimizer=optimizer))


@pytest.mark.parametrize("name", ["_backward_hooks", "_post_accumulate_grad_hooks"])
def test_hooks_are_assumed_if_torch_does_not_expose_them(iris, calls, monkeypatch, name):
    fast = fit(iris, None)
    monkeypatch.setattr(torch.Tensor, name, property(removed), raising=False)
    assert calls() == 5
    assert_same(fast, fit(iris, None))


def removed(self):
    raise AttributeError("a later torch has no such name")


def assert_weights_equal(first, second):
    for ours, theirs in zip(first.net_.module_.parameters(), second.net_.module_.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=0)


def test_an_interrupt_keeps_the_weights_of_the_last_step(iris):
    """The module keeps the steps before the interrupt, and its optimizer can continue."""

    clf = fit(iris, None, warm_start=True, max_epochs=1)
    net, before = clf.net_, copy.deepcopy(clf.net_.module_.state_dict())
    original = net.get_iterator

    def interrupted(dataset, training=False):
        iterator = original(dataset, training=training)

        def some():
            for number, batch in enumerate(iterator):
                if number == 3:
                    raise KeyboardInterrupt
                yield batch

        class Some:
            X = iterator.X

            def __iter__(self):
                return some()

            def __len__(self):
                return len(iterator)

        return Some() if training else iterator

    net.get_iterator = interrupted
    with pytest.raises(KeyboardInterrupt):
        clf.fit(*iris)
    del net.get_iterator
    parameter = net.module_.hidden_1.weight
    assert not torch.equal(parameter, before["hidden_1.weight"])
    # 5 batches of the first epoch, and 3 before the interrupt.
    assert float(net.optimizer_.state[parameter]["step"]) == 8
    clf.fit(*iris)
    assert float(net.optimizer_.state[parameter]["step"]) == 13
