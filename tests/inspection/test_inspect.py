import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.datasets import load_iris
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from torch import nn

from initsk import ActivationInspector, MLPClassifier, inspect_activations
from initsk.exceptions import InvalidParameterError
from initsk.inspection import RunningMoments, StreamingHistogram, pool_histograms
from tests.helpers import hooks_of


def known_net(inplace=False):
    """Linear(1 -> 2) with weights 1 and -1, ReLU, Linear(2 -> 1) that adds them: the absolute value."""
    with torch.random.fork_rng():
        net = nn.Sequential(nn.Linear(1, 2, bias=False), nn.ReLU(inplace=inplace), nn.Linear(2, 1, bias=False))
    net[0].weight.data = torch.tensor([[1.0], [-1.0]])
    net[2].weight.data = torch.ones(1, 2)
    return net


def values(seed=0, n=1000):
    return torch.randn(n, generator=torch.Generator().manual_seed(seed)) * 3 + 1


@pytest.mark.parametrize("inplace", [False, True])
def test_known_activations(inplace):
    X = np.array([[1.0], [2.0], [3.0]])
    frame = inspect_activations(known_net(inplace), X, batch_size=2).to_frame().set_index(["layer", "position"])
    pre, post, out = (frame.loc[key] for key in (("0", "pre_activation"), ("0", "activation"), ("2", "output")))
    assert pre[["mean", "min", "max", "count"]].tolist() == [0, -3, 3, 6]
    assert post[["mean", "min", "zero_fraction", "dead_fraction"]].tolist() == [1, 0, 0.5, 0.5]
    assert post["rms"] == pytest.approx((14 / 6) ** 0.5)
    assert post["std"] == pytest.approx(np.std([1, 2, 3, 0, 0, 0]))
    assert out[["mean", "units"]].tolist() == [2, 1]


def test_nothing_is_left_behind():
    net = nn.Sequential(*known_net(), nn.BatchNorm1d(1))
    net.train()
    net[0].eval()
    net[4:].requires_grad_(False)
    before = {k: v.clone() for k, v in net.state_dict().items()}
    inspect_activations(net, [[1.0], [2.0]])

    class Broken(nn.Module):
        def forward(self, x):
            raise RuntimeError("broken")

    net.append(Broken())
    with pytest.raises(RuntimeError, match="broken"):
        inspect_activations(net, [[1.0], [2.0]])
    assert not hooks_of(net)
    assert [m.training for m in net[:4]] == [False, True, True, True]
    assert all(torch.equal(v, before[k]) for k, v in net.state_dict().items())
    assert all(p.grad is None for p in net.parameters())


def test_channels_are_units_and_calls_are_kept_apart():
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(1, 3, 1)
            self.relu = nn.ReLU()

        def forward(self, x):
            return self.relu(self.relu(self.conv(x)) - 1)

    with torch.random.fork_rng():
        net = Twice()
    net.conv.weight.data.fill_(1.0)
    net.conv.bias.data = torch.tensor([0.0, 0.0, -100.0])
    frame = inspect_activations(net, np.ones((2, 1, 4, 4))).to_frame()
    assert frame[["layer", "position"]].to_numpy().tolist() == [
        ["conv", "pre_activation"],
        ["conv", "activation"],
        ["relu:1", "pre_activation"],
        ["relu:1", "activation"],
    ]
    assert frame["module"].tolist() == ["conv", "relu", "relu:1", "relu:1"]
    assert frame["units"].tolist() == [3, 3, 3, 3]
    assert frame["dead_fraction"].tolist()[1] == pytest.approx(1 / 3)


def test_recurrent_and_nonfinite():
    with torch.random.fork_rng():
        lstm = nn.LSTM(2, 5, batch_first=True)
    frame = inspect_activations(lstm, np.zeros((3, 4, 2))).to_frame()
    assert frame.loc[0, ["units", "count"]].tolist() == [5, 60]
    net = known_net()
    net[0].weight.data[0] = float("nan")
    assert inspect_activations(net, [[1.0]]).to_frame()["nonfinite"].tolist() == [1, 1, 1]


@pytest.mark.parametrize(
    "form",
    [
        lambda x: pd.DataFrame(x),
        lambda x: np.broadcast_to(x, x.shape),
        lambda x: x[::-1].copy()[::-1],
        lambda x: x.astype(">f4"),
        lambda x: x.tolist(),
        torch.tensor,
    ],
    ids=["frame", "read-only", "reversed", "big-endian", "lists", "tensor"],
)
def test_input_of_any_form(form):
    x = np.array([[1.0], [3.0]], dtype=np.float32)
    given = inspect_activations(known_net(), form(x)).to_frame()
    assert given.equals(inspect_activations(known_net(), x).to_frame())


def test_module_without_layers_is_refused():
    with pytest.raises(ValueError, match="no layer"):
        inspect_activations(nn.Flatten(), [[1.0]])
    with pytest.raises(ValueError, match=r"torch\.nn\.Module"):
        inspect_activations(3, [[1.0]])


def test_moments_agree_with_numpy_and_merge():
    x = values()
    whole = RunningMoments().update(x)
    parts = RunningMoments()
    for part in x.split(37):
        parts = parts + RunningMoments().update(part)
    for moments in (whole, parts):
        assert moments.mean == pytest.approx(x.double().mean().item(), rel=1e-12)
        assert moments.variance == pytest.approx(np.var(x.double().numpy()), rel=1e-12)
        assert (moments.min, moments.max, moments.count) == (float(x.min()), float(x.max()), 1000)


def test_moments_survive_a_large_mean():
    x = torch.arange(1000, dtype=torch.float64) + 1e9
    moments = RunningMoments()
    for part in x.split(10):
        moments.update(part)
    assert moments.variance == pytest.approx((1000**2 - 1) / 12, rel=1e-9)


@pytest.mark.parametrize("n_bins", [2, 16, 128])
def test_histogram_does_not_depend_on_order_or_splits(n_bins):
    x = values()
    whole = StreamingHistogram(n_bins).update(x)
    streamed = StreamingHistogram(n_bins)
    for part in x.flip(0).split(7):
        streamed.update(part)
    merged = StreamingHistogram(n_bins).update(x[:10]) + StreamingHistogram(n_bins).update(x[10:])
    assert whole.to_frame().equals(streamed.to_frame())
    assert whole.to_frame().equals(merged.to_frame())
    assert whole.counts.sum() == 1000
    assert len(whole.counts) <= n_bins
    expected, _ = np.histogram(x.numpy(), whole.edges)
    # numpy closes the last bin on the right; no value lies exactly on an edge here.
    assert whole.counts.tolist() == expected.tolist()


def test_histogram_of_constants_and_tiny_numbers():
    zeros = StreamingHistogram().update(torch.zeros(5))
    assert zeros.counts.tolist() == [5]
    grown = zeros.update(torch.tensor([1e-30, 1e6, -1e6, float("nan")]))
    assert grown.counts.sum() == 8
    assert grown.edges[0] <= -1e6
    assert grown.edges[-1] > 1e6


def test_pooling_is_adding():
    x = values()
    a, b = StreamingHistogram(32).update(x[:100] / 50), StreamingHistogram(32).update(x[100:])
    pooled = pool_histograms(pd.concat([a.to_frame(), b.to_frame()]), 32)
    assert pooled["count"].sum() == 1000
    assert (pooled["density"] * (pooled["right"] - pooled["left"])).sum() == pytest.approx(1)


def test_unfitted_and_fitted_estimators():
    X, y = load_iris(return_X_y=True)
    clf = MLPClassifier((6,), max_epochs=2, random_state=0)
    initial = inspect_activations(clf, X, y)
    assert not hasattr(clf, "net_")
    with pytest.raises(ValueError, match="no sample"):
        inspect_activations(torch.nn.ReLU(), np.zeros((0, 3)))
    with pytest.raises(ValueError, match="give y"):
        inspect_activations(clf, X)
    trained = inspect_activations(clf.fit(X, y), X)
    assert initial.to_frame()["layer"].tolist() == ["hidden_1", "hidden_1", "output"]
    assert initial.to_frame()["rms"][0] != trained.to_frame()["rms"][0]
    histograms = trained.histograms()
    assert histograms.groupby(["layer", "position"])["count"].sum().tolist() == [900, 900, 450]


def test_memory_does_not_grow_with_the_samples():
    net = known_net()
    summary = inspect_activations(net, np.arange(100000.0).reshape(-1, 1), batch_size=1000)
    assert len(summary.histograms()) <= 3 * 128


@pytest.mark.parametrize("when", ["fitted", "initialized"])
def test_transformer_in_a_pipeline(when):
    X, y = load_iris(return_X_y=True, as_frame=True)
    inspector = ActivationInspector(MLPClassifier((6, 3), max_epochs=2, random_state=0), ["hidden_2"], when=when)
    pipe = make_pipeline(inspector.set_output(transform="pandas"), LogisticRegression()).fit(X, y)
    features = pipe[:-1].transform(X)
    assert features.columns.tolist() == ["hidden_2_0", "hidden_2_1", "hidden_2_2"]
    assert set(features.dtypes) == {np.dtype("float32")}
    module = pipe[0].estimator_.net_.module_
    with torch.no_grad():
        expected = torch.nn.Sequential(*list(module.children())[:4])(torch.tensor(X.to_numpy(np.float32)))
    np.testing.assert_allclose(features, expected, rtol=1e-5, atol=1e-6)


def test_transformer_prefit_and_unknown_layer():
    X, y = load_iris(return_X_y=True)
    clf = MLPClassifier((6, 3), max_epochs=2, random_state=0).fit(X, y)
    inspector = ActivationInspector(clf, prefit=True).fit(X)
    assert inspector.layers_ == ["hidden_1", "hidden_2"]
    assert inspector.estimator_ is clf
    with pytest.raises(ValueError, match="did you mean 'hidden_2'"):
        ActivationInspector(clf, layers="hiden_2", prefit=True).fit(X)


@pytest.mark.parametrize(
    ("layers", "words"),
    [
        ([], "at least one layer"),
        (1.5, "a name, a pattern"),
        (3, "from -3 to 2"),
        (["hidden_1", "hidden_1"], "each layer once"),
    ],
)
def test_transformer_takes_layers_each_once(layers, words):
    X, y = load_iris(return_X_y=True)
    with pytest.raises(InvalidParameterError, match=words):
        ActivationInspector(MLPClassifier((6, 3), max_epochs=1), layers).fit(X, y)


def test_prefit_takes_a_bare_module():
    net = torch.nn.Sequential(torch.nn.Identity(), torch.nn.ReLU())
    features = ActivationInspector(net, layers="1", prefit=True).fit_transform([[-1.0, 2.0]])
    assert features.tolist() == [[0.0, 2.0]]


def test_prefit_needs_a_fitted_estimator():
    with pytest.raises(NotFittedError, match="MLPClassifier"):
        ActivationInspector(MLPClassifier(), prefit=True).fit([[1.0]])
