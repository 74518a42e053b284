"""Records during training: their steps, their values, and training without side effects."""

from contextlib import nullcontext

import numpy as np
import pandas as pd
import pytest
import skorch
import torch
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.exceptions import NotFittedError
from skorch.callbacks import Callback
from torch import nn

from initsk import MLPClassifier, NeuralNetClassifier, inspect_activations
from initsk.displays import HistoryDisplay
from initsk.inspection import ActivationRecorder
from tests.helpers import build, hooks_of

IMAGES, LABELS = load_digits(return_X_y=True)
X, Y = (IMAGES[:200] / 16).astype("float32"), LABELS[:200]
PROBE = X[:50]


def mlp(*callbacks, **arguments):
    settings = {"batch_size": 50, "max_epochs": 3, "random_state": 0} | arguments
    return MLPClassifier((16, 8), callbacks=list(callbacks), **settings)


def network():
    return build(
        lambda: nn.Sequential(nn.Linear(64, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.3), nn.Linear(16, 10))
    )


def plain(*callbacks, module=None, optimizer=torch.optim.Adam):
    return skorch.NeuralNetClassifier(
        module or network(), criterion=nn.CrossEntropyLoss, optimizer=optimizer, lr=0.01, batch_size=50, max_epochs=2,
        train_split=None, verbose=0, callbacks=list(callbacks), iterator_train__shuffle=False,
    )  # fmt: skip


def at(recorder, step):
    frame = recorder.to_frame()
    return frame[frame["step"] == step].drop(columns=["step", "epoch"]).reset_index(drop=True)


def test_a_fixed_batch_is_recorded_at_the_start_and_after_every_epoch():
    recorder = ActivationRecorder(PROBE, bins=128, measures=("units", "samples", "spectrum"))
    clf = mlp(recorder)
    initial = clone(clf).set_params(callbacks=None).initialize(X, Y)
    clf.fit(X, Y)
    assert recorder.to_frame()[["step", "epoch"]].drop_duplicates().to_numpy().tolist() == [
        [0, 0], [4, 1], [8, 2], [12, 3],
    ]  # fmt: skip
    pd.testing.assert_frame_equal(at(recorder, 0), inspect_activations(initial, PROBE).to_frame())
    pd.testing.assert_frame_equal(at(recorder, 12), inspect_activations(clf, PROBE).to_frame())
    bins = recorder.histograms()
    end = bins[bins["step"] == 12].drop(columns=["step", "epoch"]).reset_index(drop=True)
    pd.testing.assert_frame_equal(end, inspect_activations(clf, PROBE).histograms())


@pytest.mark.parametrize(
    ("arguments", "steps"),
    [
        ({"probe": PROBE, "every": 2}, [0, 8, 12]),
        ({"probe": PROBE, "every": 2, "start": False}, [8, 12]),
        ({"probe": PROBE, "every": 2, "start": False, "end": False}, [8]),
        ({"probe": PROBE, "every": 5, "unit": "step"}, [0, 5, 10, 12]),
        ({"every": 5, "unit": "step"}, [0, 4, 9]),
        ({"every": 5, "unit": "step", "start": False}, [4, 9]),
        ({"every": 2}, [4, 8]),
        ({"every": 2, "start": False}, [8]),
    ],
)
def test_records_are_at_the_chosen_steps(arguments, steps):
    recorder = ActivationRecorder(**arguments)
    mlp(recorder).fit(X, Y)
    assert recorder.to_frame()["step"].unique().tolist() == steps
    assert recorder.histograms()["step"].unique().tolist() == steps
    assert recorder.n_steps_ == 12


def test_a_record_of_training_batches_is_of_the_batch_of_the_step():
    recorder = ActivationRecorder(unit="step", bins=128, measures=("units", "samples", "spectrum"))
    module = nn.Sequential(*network()[:3], network()[4])
    expected = inspect_activations(module, X[:50], training=True).to_frame()
    with torch.random.fork_rng():
        plain(recorder, module=module).initialize().partial_fit(X, Y)
    pd.testing.assert_frame_equal(at(recorder, 0), expected)


def test_an_epoch_of_training_batches_counts_every_sample_once():
    recorder = ActivationRecorder()
    mlp(recorder).fit(X, Y)
    frame = recorder.to_frame()
    assert (frame["count"] / frame["units"]).tolist() == [200] * len(frame)
    assert len(frame) == 3 * 5


class Weights(Callback):
    def on_train_begin(self, net, **kwargs):
        self.seen = [[p.detach().clone() for p in net.module_.parameters()]]

    def on_batch_end(self, net, training=False, **kwargs):
        if training:
            self.seen.append([p.detach().clone() for p in net.module_.parameters()])


@pytest.mark.parametrize("optimizer", [torch.optim.SGD, torch.optim.Adam])
def test_recorded_updates_are_those_of_the_step(optimizer):
    recorder, weights = ActivationRecorder(unit="step", gradients=True), Weights()
    with torch.random.fork_rng():
        torch.manual_seed(0)
        plain(recorder, weights, optimizer=optimizer).fit(X, Y)
    found = recorder.parameters().set_index(["step", "name"])["update_to_weight"]
    names = [name for name, _ in network().named_parameters()]
    for step, (before, after) in enumerate(zip(weights.seen, weights.seen[1:], strict=False)):
        for name, old, new in zip(names, before, after, strict=True):
            # The update has the dropout masks of the step; zero weights have no ratio.
            if old.any():
                assert found[step, name] == pytest.approx(float((new - old).norm() / old.norm()), rel=1e-3)


@pytest.mark.parametrize(
    "arguments",
    [{"probe": PROBE}, {"probe": PROBE, "unit": "step"}, {}, {"unit": "step"}, {"unit": "step", "gradients": True}],
)
@pytest.mark.parametrize("kind", ["mlp", "skorch"])
def test_recording_does_not_change_the_training(kind, arguments):
    def weights(*callbacks):
        with torch.random.fork_rng():
            torch.manual_seed(0)
            if kind == "mlp":
                module = mlp(*callbacks, dropout=0.3, normalization="batch_norm").fit(X, Y).net_.module_
            else:
                module = plain(*callbacks).fit(X, Y).module_
            return [*module.state_dict().values(), torch.random.get_rng_state()]

    with_it = weights(ActivationRecorder(**arguments))
    assert all(torch.equal(a, b) for a, b in zip(weights(), with_it, strict=True))


def test_a_fixed_batch_per_epoch_does_not_need_batch_events():
    assert not ActivationRecorder(PROBE).needs_batch_events
    assert ActivationRecorder(PROBE, unit="step").needs_batch_events
    alone, recorded = mlp().fit(X, Y), mlp(ActivationRecorder(PROBE)).fit(X, Y)
    # skorch's own steps would differ by rounding.
    assert np.array_equal(alone.predict_proba(X), recorded.predict_proba(X))


def test_steps_are_counted_over_several_calls_of_partial_fit():
    recorder = ActivationRecorder(PROBE, start=False)
    net = NeuralNetClassifier(
        network(), criterion=nn.CrossEntropyLoss, batch_size=50, max_epochs=1, train_split=None, verbose=0,
        callbacks=[recorder], random_state=0,
    )  # fmt: skip
    net.fit(X, Y).partial_fit(X, Y)
    assert recorder.to_frame()["step"].unique().tolist() == [4, 8]
    net.fit(X, Y)
    assert recorder.to_frame()["step"].unique().tolist() == [4]


class Stopping(Callback):
    def __init__(self, error):
        self.error = error

    def on_grad_computed(self, net, *args, **kwargs):
        raise self.error


@pytest.mark.parametrize("error", [RuntimeError("broken"), KeyboardInterrupt()])
def test_no_hook_remains_after_an_error_in_training(error):
    net = plain(ActivationRecorder(unit="step"), Stopping(error))
    # skorch ends the training at an interrupt and does not raise it.
    raises = pytest.raises(RuntimeError, match="broken") if isinstance(error, RuntimeError) else nullcontext()
    with torch.random.fork_rng(), raises:
        net.fit(X, Y)
    assert not hooks_of(net.module_)
    assert not torch.overrides.has_torch_function((torch.ones(1),))


def test_the_size_of_a_record_does_not_depend_on_the_batch():
    def sizes(probe):
        recorder = ActivationRecorder(probe, bins=8)
        mlp(recorder).fit(X, Y)
        held = [len(b.edges) + len(b.counts) for of in recorder.bins_.values() for *_, b in of]
        return len(recorder.to_frame()), max(held)

    small, large = sizes(X[:10]), sizes(np.concatenate([X] * 20))
    assert small[0] == large[0] == 4 * 5
    assert max(small[1], large[1]) <= 8 * (8 + 9)


def test_empty_frames_and_invalid_parameters():
    recorder = ActivationRecorder(PROBE, every=100, start=False, end=False)
    with pytest.raises(NotFittedError, match="among the callbacks of a net"):
        recorder.to_frame()
    mlp(recorder).fit(X, Y)
    for frame in (recorder.to_frame(), recorder.to_frame("gradients"), recorder.histograms(), recorder.parameters()):
        assert frame.empty
        assert frame.columns[:2].tolist() == ["step", "epoch"]
        assert frame.dtypes.astype(str)[:2].tolist() == ["int64", "int64"]
    with pytest.raises(ValueError, match=r"every=0 .*unit='week'"):
        mlp(ActivationRecorder(every=0, unit="week")).fit(X, Y)
    with pytest.raises(ValueError, match="unknown statistics 'gradient'"):
        recorder.to_frame("gradient")


def test_a_display_draws_the_records():
    recorder = ActivationRecorder(PROBE)
    mlp(recorder).fit(X, Y)
    frame = recorder.to_frame()
    display = HistoryDisplay.from_frames(recorder.histograms(), frame).plot()
    line = display.axes_["hidden_1", "moments"].get_lines()[0]
    wanted = frame[(frame["layer"] == "hidden_1") & (frame["position"] == "activation")]
    assert line.get_xdata().tolist() == wanted["step"].tolist()
    np.testing.assert_array_equal(line.get_ydata(), wanted["mean"])
