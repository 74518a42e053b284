"""Inspections with arguments and data of any kind, and interrupted inspections."""

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812 - as users write it
from torch.overrides import TorchFunctionMode
from torch.utils.checkpoint import checkpoint
from torch.utils.data import DataLoader, TensorDataset

from initsk import inspect_activations
from initsk.exceptions import InvalidParameterError, ModuleError
from initsk.network._wrappers import is_compiled
from tests.helpers import Net, batch, build, fc, hooks_of

X = torch.tensor([[-1.0], [3.0]])


def means(net, X, **arguments):
    frame = inspect_activations(net, X, **arguments).to_frame()
    return {(row.layer, row.position): row.mean for row in frame.itertuples()}


@pytest.mark.parametrize("arguments", [{}, {"batch_size": 1}, {"training": True}], ids=["plain", "batches", "training"])
def test_checkpointed_parts_are_captured_once(arguments):
    """The backward pass computes the parts again; this is not a second call."""

    def net(run):
        return Net(lambda self, x: self.out(run(lambda z: self.fc(z).relu(), x)), fc=fc(2.0), out=fc())

    plain = net(lambda part, x: part(x))
    again = net(lambda part, x: checkpoint(part, x, use_reentrant=False))
    y = torch.zeros(2, 1)
    measured, true = (inspect_activations(one, X, y, gradients=True, **arguments) for one in (again, plain))
    pd.testing.assert_frame_equal(measured.to_frame(), true.to_frame())
    pd.testing.assert_frame_equal(measured.to_frame("gradients"), true.to_frame("gradients"))


PAIR = Net(lambda self, a, b: self.fc(a) + b, fc=fc(2.0))


@pytest.mark.parametrize(
    "given",
    [
        lambda: (X, X),
        lambda: {"b": X, "a": X.numpy()},
        lambda: {"a": X.tolist(), "b": pd.DataFrame(X.numpy())},
        lambda: iter([((X, X), None)]),
        lambda: ({"a": X[i : i + 1], "b": X[i : i + 1]} for i in range(2)),
    ],
    ids=["tuple", "keywords", "lists and frames", "stream of tuples", "stream of keywords"],
)
def test_several_arguments(given):
    assert means(PAIR, given()) == {("fc", "output"): 2.0}


@pytest.mark.parametrize("given", [TensorDataset(X), DataLoader(TensorDataset(X), 1), DataLoader(TensorDataset(X), 2)])
def test_data_sets_without_targets(given):
    assert means(fc(2.0), given) == {("module", "output"): 2.0}


@pytest.mark.parametrize(
    "first", [nn.ReLU(inplace=True), Net(lambda self, x: F.relu_(x)), Net(lambda self, x: x.mul_(9))]
)
@pytest.mark.parametrize("arguments", [{}, {"layers": "fc"}, {"gradients": True}, {"training": True, "batch_size": 1}])
def test_modules_in_place_do_not_change_data_of_any_kind(first, arguments):
    net = Net(lambda self, x: self.fc(self.first(x)), first=first, fc=fc())
    array = X.numpy().copy()
    array.setflags(write=False)
    frozen = np.broadcast_to(np.float32(-1), (2, 1))
    y = torch.zeros(2, 1)
    for given in (X.clone(), array, frozen, pd.DataFrame(X.numpy()), TensorDataset(X.clone(), y)):
        held = given.tensors[0] if isinstance(given, TensorDataset) else given
        before = np.asarray(held).copy()
        inspect_activations(net, given, None if isinstance(given, TensorDataset) else y, **arguments)
        np.testing.assert_array_equal(np.asarray(held), before)


class Failing(nn.Module):
    """Return the input; raise the error at the second call, if there is one."""

    def __init__(self):
        super().__init__()
        self.error, self.calls = None, 0

    def forward(self, x):
        self.calls += 1
        if self.error is not None and self.calls == 2:
            raise self.error
        return x


class Counting(TorchFunctionMode):
    """A user's torch function mode."""

    n = 0

    def __torch_function__(self, func, types, args=(), kwargs=None):
        self.n += 1
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("error", [RuntimeError("in the middle"), KeyboardInterrupt(), StopIteration()])
@pytest.mark.parametrize("arguments", [{}, {"gradients": True}, {"training": True}])
def test_an_interrupted_inspection_changes_nothing(error, arguments):
    failing = Failing()
    net = build(
        lambda: nn.Sequential(nn.Linear(1, 4), nn.BatchNorm1d(4), nn.Tanh(), failing, nn.Dropout(), nn.Linear(4, 1))
    )
    calls = []
    net[0].register_forward_hook(lambda *_: calls.append(1))
    data, y = batch(8, 1), torch.zeros(8, 1)
    expected = inspect_activations(net, data, y, batch_size=4, **arguments)
    before = {name: value.clone() for name, value in net.state_dict().items()}
    failing.error = error
    with Counting() as mode:
        with pytest.raises(ModuleError if isinstance(error, Exception) else type(error)) as caught:
            inspect_activations(net, data, y, batch_size=4, **arguments)
        assert error is (caught.value.__cause__ if isinstance(error, Exception) else caught.value)
        seen = mode.n
        torch.tanh(data)
        assert mode.n == seen + 1
    assert failing.calls == 0
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    assert [len(hooks_of(part)) for part in net] == [1, 0, 0, 0, 0, 0]
    failing.error = None
    again = inspect_activations(net, data, y, batch_size=4, **arguments)
    for of in ("activations", "gradients"):
        pd.testing.assert_frame_equal(again.to_frame(of), expected.to_frame(of))
    # The user's hook was called for every batch.
    assert len(calls) == 6


def test_errors_that_the_module_handles_itself():
    def forward(self, x):
        try:
            self.wrong(x)
        except RuntimeError:
            return self.relu(self.fc(x))

    net = Net(forward, wrong=nn.Sequential(nn.ReLU(), build(lambda: nn.Linear(9, 1))), fc=fc(), relu=nn.ReLU())
    found = means(net, X)
    assert found["fc", "activation"] == 1.5
    assert list(found)[-2:] == [("fc", "pre_activation"), ("fc", "activation")]


def test_values_changed_by_a_users_hook_are_captured():
    net = Net(lambda self, x: self.fc(x).relu(), fc=fc())
    net.fc.register_forward_hook(lambda part, args, output: output + 1)
    assert means(net, X) == {("fc", "pre_activation"): 2.0, ("fc", "activation"): 2.0}


class Hooked(nn.Module):
    """Register a hook in the first forward pass, as networks of transformers do, and return what the hook collects."""

    def __init__(self):
        super().__init__()
        self.fc, self.collected = fc(2.0), []

    def forward(self, x):
        if not getattr(self, "is_hooked", False):
            self.fc.register_forward_hook(lambda part, args, output: self.collected.append(output))
            self.is_hooked = True
        self.fc(x)
        return self.collected.pop()


def test_a_module_that_registers_a_hook_itself_runs_after_an_inspection():
    net = Hooked()
    for _ in range(2):
        assert means(net, X) == {("fc", "output"): 2.0}
        assert not hasattr(net, "is_hooked")
        assert hooks_of(net) == {}
    assert torch.equal(net(X), 2 * X)


@pytest.mark.parametrize("training", [False, True])
def test_a_module_that_compiled_itself(training):
    net = Net(lambda self, x: self.fc(x).relu(), fc=fc())
    net.compile(backend="eager")
    assert means(net, X, training=training) == {("fc", "pre_activation"): 1.0, ("fc", "activation"): 1.5}
    assert is_compiled(net)


@pytest.mark.parametrize(
    ("X", "arguments", "words"),
    [
        ({"a": [["x"]], "b": [[1.0]]}, {}, "numbers"),
        (([["x"]], [[1.0]]), {}, "numbers"),
        (iter([X]), {"y": X}, "the stream gives pairs of X and y"),
        (iter([X]), {"padding_mask": torch.zeros(2, 1) > 0}, "a function of the batch"),
        (iter([X]), {"gradients": True}, "a batch has none"),
        (X, {"padding_mask": torch.zeros(3, 1) > 0}, "padding_mask has 3 rows, and X has 2"),
        (X, {"padding_mask": torch.zeros(2) > 0}, "for each sample and position"),
        ("text", {}, "numbers"),
    ],
)
def test_invalid_data_are_an_error(X, arguments, words):
    net = Net(lambda self, a, b=0: self.fc(a) + b, fc=fc())
    with pytest.raises(ValueError, match=words):
        inspect_activations(net, X, **arguments)


def test_all_mistakes_in_one_message_and_the_nearest_name():
    wrong = {"gradients": 1, "training": "no", "batch_size": 0, "bins": 1, "edges": [1], "positions": "all",
             "measures": "units", "criterion": 3, "optimizer": "adm", "random_state": "x"}  # fmt: skip
    with pytest.raises(InvalidParameterError) as refused:
        inspect_activations(fc(), X, **wrong)
    assert [name for name in wrong if name not in str(refused.value)] == []
    net = Net(lambda self, x: self.decoder(self.encoder(x)), encoder=fc(), decoder=fc())
    with pytest.raises(InvalidParameterError, match=r"'decodr'.*'decoder'"):
        inspect_activations(net, X, layers=["encoder", "decodr"])
