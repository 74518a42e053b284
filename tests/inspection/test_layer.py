"""What is measured: laws against numpy and scipy, and answers known by hand."""

import copy
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import stats
from torch import nn

from initsk import inspect_activations
from initsk.inspection import (
    FixedHistogram,
    LayerStatistics,
    RunningCovariance,
    RunningMoments,
    SampleCosines,
    StreamingHistogram,
    UnitStatistics,
)
from tests.helpers import batch, build

DRAWS = {
    "normal": batch(5000) * 3 + 1,
    "tiny": batch(5000).exp() * 1e-30,
    "huge": batch(5000) * 1e30,
    "half zeros": batch(5000).relu(),
    "far": batch(5000).double() + 1e6,
    "small counts": torch.arange(7.0),
}


@pytest.mark.parametrize("name", DRAWS)
@pytest.mark.parametrize("size", [5000, 999])
def test_moments(name, size):
    x = DRAWS[name]
    halves = [RunningMoments().update(part) for part in x.split(size)]
    merged = sum(halves[1:], halves[0])
    streamed = RunningMoments()
    for part in x.split(size):
        streamed.update(part)
    d = x.double().numpy()
    for m in (merged, streamed):
        expected = [d.mean(), d.std(), np.sqrt(np.mean(d**2)), stats.skew(d), stats.kurtosis(d)]
        # scipy itself loses digits far from zero.
        rel = 1e-6 if name == "far" else 1e-9
        assert [m.mean, m.std, m.rms, m.skewness, m.kurtosis] == pytest.approx(expected, rel=rel)
        assert (m.count, m.zeros, m.min, m.max) == (len(x), int((x == 0).sum()), float(x.min()), float(x.max()))


def test_a_billion_values():
    """A thousand copies of a million values have their mean and variance."""
    x = torch.rand(1_000_000, generator=torch.Generator().manual_seed(0))
    moments = RunningMoments()
    for _ in range(1000):
        moments.update(x)
    d = x.double().numpy()
    assert moments.count == 10**9
    assert [moments.mean, moments.variance] == pytest.approx([d.mean(), d.var()], rel=1e-9)


def test_moments_without_variation():
    for m in (RunningMoments().update(torch.full((9,), 0.1)), RunningMoments()):
        assert np.isnan([m.skewness, m.kurtosis]).all()
    assert RunningMoments().update(torch.full((9,), 0.1)).std == 0
    assert RunningMoments().update(torch.tensor([torch.nan, torch.inf])).nonfinite == 2


@pytest.mark.parametrize("name", DRAWS)
@pytest.mark.parametrize("q", [0.0, 0.01, 0.25, 0.5, 0.95, 1.0])
def test_quantiles_are_within_a_bin(name, q):
    x = DRAWS[name]
    histogram = StreamingHistogram().update(x)
    low, high = (np.quantile(x.double().numpy(), q, method=m) for m in ("lower", "higher"))
    assert low - histogram.width <= histogram.quantile(q) <= high + histogram.width


def test_fixed_edges_are_numpys():
    x, edges = DRAWS["normal"].round(decimals=1), np.linspace(-2, 3, 11)
    counts = sum((FixedHistogram(edges).update(part) for part in x.split(777)), FixedHistogram(edges)).counts
    assert counts[1:-1].tolist() == np.histogram(x.double().numpy(), edges)[0].tolist()
    assert (counts[0], counts[-1]) == (int((x.double() < -2).sum()), int((x.double() > 3).sum()))
    with pytest.raises(ValueError, match="different edges"):
        FixedHistogram([0, 1]) + FixedHistogram([0, 2])


COLUMNS = torch.stack([batch(9000, seed=i) for i in range(3)], 1)
# Two copies of the first, three dead ones, and one that differs in a single row.
UNITS = torch.cat([COLUMNS, COLUMNS[:, :1], torch.zeros(9000, 3), COLUMNS[:, 1:2]], 1)
UNITS[8000, 7] += 1.0


@pytest.mark.parametrize("size", [9000, 4096, 100])
def test_dead_and_copied_units(size):
    parts = [UnitStatistics().update(part) for part in UNITS.split(size)]
    streamed = UnitStatistics()
    for part in UNITS.split(size):
        streamed.update(part)
    for units in (streamed, sum(parts[1:], parts[0])):
        assert units.dead_fraction == 3 / 8
        assert units.copied_fraction == 5 / 8
    assert np.isnan(UnitStatistics().copied_fraction)


def test_units_that_are_not_finite():
    rows = torch.tensor([[torch.nan, 1.0, 0.0], [1.0, torch.inf, 0.0]])
    assert UnitStatistics().update(rows).dead_fraction == pytest.approx(1 / 3)


def test_cosines_against_all_pairs():
    rows = torch.cat([batch(30, 5).relu(), torch.zeros(2, 5)])
    kept = rows[rows.norm(dim=1) > 0]
    unit = (kept / kept.norm(dim=1, keepdim=True)).double()
    pairs = unit @ unit.T
    expected = float(pairs[~torch.eye(len(kept), dtype=torch.bool)].mean())
    halves = SampleCosines().update(rows[:11]) + SampleCosines().update(rows[11:])
    assert halves.mean == pytest.approx(expected, rel=1e-6)
    assert np.isnan(SampleCosines().update(torch.zeros(5, 3)).mean)


@pytest.mark.parametrize(
    ("rows", "rank", "participation"),
    [
        (torch.cat([torch.eye(4), -torch.eye(4)]), 4, 4),
        (torch.outer(batch(50), torch.ones(6)), 1, 1),
        (torch.full((9, 3), 0.1), np.nan, np.nan),
        (torch.cat([torch.eye(4), -torch.eye(4)]) + 100, 4, 4),
        # Eigenvalues 4 and 1: exp of the entropy of 0.8 and 0.2, and 25 / 17.
        (torch.tensor([[2.0, 0], [-2, 0], [0, 1], [0, -1]]), np.exp(-0.8 * np.log(0.8) - 0.2 * np.log(0.2)), 25 / 17),
    ],
)
def test_dimensions_by_hand(rows, rank, participation):
    half = len(rows) // 2
    halves = RunningCovariance().update(rows[:half]) + RunningCovariance().update(rows[half:])
    for spread in (RunningCovariance().update(rows), halves):
        found = [spread.effective_rank, spread.participation_ratio]
        assert found == pytest.approx([rank, participation], rel=1e-5, nan_ok=True)


def test_covariance_is_numpys():
    rows = batch(400, 6) @ batch(6, 6, seed=1) + 3
    spread = RunningCovariance()
    for part in rows.split(37):
        spread.update(part)
    expected = np.cov(rows.double().numpy().T, bias=True)
    np.testing.assert_allclose(spread.scatter / spread.count, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("activation", "share"),
    [
        (nn.Tanh(), lambda x: np.abs(np.tanh(x)) >= 0.95),
        (nn.Sigmoid(), lambda x: np.abs(1 / (1 + np.exp(-x)) - 0.5) >= 0.475),
        (nn.Hardtanh(-2, 3), lambda x: (x <= -1.9) | (x >= 2.85)),
        (nn.ELU(), lambda x: np.expm1(np.minimum(x, 0)) <= -0.95),
        (nn.ReLU6(), lambda x: x >= 5.7),
        (nn.ReLU(), None),
        (nn.GELU(), None),
        (nn.SiLU(), None),
        (nn.LeakyReLU(), None),
    ],
    ids=lambda value: type(value).__name__,
)
def test_saturation_by_the_functions_own_range(activation, share):
    x = batch(4000, 1) * 4
    net = build(lambda: nn.Sequential(nn.Linear(1, 1, bias=False), activation))
    nn.init.ones_(net[0].weight)
    expected = np.nan if share is None else share(x.double().numpy()).mean()
    frame = inspect_activations(net, x).to_frame()
    assert frame["saturated_fraction"].tolist() == pytest.approx([np.nan, expected], abs=1e-3, nan_ok=True)


def test_statistics_with_values_beyond_single_precisions_squares():
    rows = batch(100, 4)
    ordinary = LayerStatistics().update(rows).to_row()
    for factor in (2.0**90, 2.0**-90):
        row = LayerStatistics().update(rows * factor).to_row()
        for name in ("effective_rank", "participation_ratio", "mean_cosine", "kurtosis", "copied_fraction"):
            assert row[name] == pytest.approx(ordinary[name], rel=1e-4), name


def network():
    return build(lambda: nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 2)))


def test_frames_have_fixed_types():
    X, y = batch(20, 3), torch.arange(20) % 2
    texts = {"layer", "position", "module", "function", "name", "kind", "of", "relative_to"}
    integers = {"units", "count", "nonfinite", "size"}
    # pandas 3 has a type of its own for text.
    text = str(pd.Series(["text"]).dtype)
    for gradients in (False, True):
        summary = inspect_activations(network(), X, y, gradients=gradients)
        frames = [summary.parameters(), summary.findings()]
        frames += [frame(of) for of in ("activations", "gradients") for frame in (summary.to_frame, summary.histograms)]
        for frame in frames:
            kinds = frame.dtypes.astype(str)
            types = dict.fromkeys(texts, text) | dict.fromkeys(integers, "int64") | {"decides": "bool"}
            expected = [types.get(name, "float64") for name in frame.columns]
            assert kinds.tolist() == expected


def test_two_halves_add_up_and_batches_do_not_matter():
    X = batch(101, 3)
    whole = inspect_activations(network(), X)
    halves = inspect_activations(network(), X[:40]) + inspect_activations(network(), X[40:])
    small = inspect_activations(network(), X, batch_size=7)
    for other in (halves, small):
        pd.testing.assert_frame_equal(other.to_frame(), whole.to_frame(), rtol=1e-4, atol=1e-6)
    # The matrix products of small batches round otherwise, but no value is lost.
    assert halves.histograms()["count"].sum() == whole.histograms()["count"].sum() == 101 * 12


def test_what_is_asked_for():
    X = batch(50, 3)
    after = inspect_activations(network(), X, positions="activation", measures=(), bins=8, edges=[-1, 0, 1])
    assert after.to_frame()[["layer", "position"]].to_numpy().tolist() == [["0", "activation"], ["2", "output"]]
    assert after.to_frame()[["dead_fraction", "effective_rank", "mean_cosine"]].isna().all(axis=None)
    assert after.histograms()["left"].tolist() == [-np.inf, -1, 0, 1] * 2
    assert after.histograms().groupby("layer")["count"].sum().tolist() == [250, 100]
    before = inspect_activations(network(), X, positions="pre_activation").to_frame()
    assert before[["layer", "position"]].to_numpy().tolist() == [["0", "pre_activation"], ["2", "output"]]


def linear():
    net = build(lambda: nn.Sequential(nn.Linear(2, 1, bias=False), nn.Identity()))
    net[0].weight.data = torch.tensor([[1.0, 2.0]])
    return net


@pytest.mark.parametrize("batch_size", [1, 2, 3])
def test_gradients_by_hand(batch_size):
    X, y = torch.tensor([[1.0, 0], [0, 1], [1, 1]]), torch.tensor([[0.0], [0], [0]])
    summary = inspect_activations(
        linear(), X, y, gradients=True, optimizer=lambda p: torch.optim.SGD(p, lr=0.1), batch_size=batch_size
    )
    # Outputs 1, 2, 3: the gradients of their squares are 2, 4, 6.
    row = summary.to_frame("gradients").iloc[0]
    assert [row["mean"], row["min"], row["max"]] == pytest.approx([4, 2, 6])
    # Mean over the samples of 2 * output * x.
    gradient = np.array([(2 + 6) / 3, (4 + 6) / 3])
    table = summary.parameters().iloc[0]
    assert table["gradient_to_weight"] == pytest.approx(np.linalg.norm(gradient) / np.sqrt(5), rel=1e-6)
    assert table["update_to_weight"] == pytest.approx(0.1 * np.linalg.norm(gradient) / np.sqrt(5), rel=1e-6)


def test_the_update_is_the_optimizers_own():
    X, y = batch(32, 3), torch.arange(32) % 2
    net = network()
    optimizer = torch.optim.Adam(net.parameters(), lr=0.01)

    def step():
        optimizer.zero_grad()
        nn.functional.cross_entropy(net(X), y).backward()
        optimizer.step()

    for _ in range(3):
        step()
    state = copy.deepcopy(optimizer.state_dict())
    told = inspect_activations(net, X, y, gradients=True, optimizer=optimizer, batch_size=10).parameters()
    assert str(state) == str(optimizer.state_dict())
    before = [p.detach().clone() for p in net.parameters()]
    step()
    true = [float((p.detach() - b).norm() / b.norm()) for p, b in zip(net.parameters(), before, strict=True)]
    assert told["update_to_weight"].tolist() == pytest.approx(true, rel=1e-3)
    with pytest.raises(ValueError, match="not the model's"):
        inspect_activations(network(), X, y, gradients=True, optimizer=optimizer)


def test_frozen_layers_have_gradients_but_no_updates():
    net = network()
    net[0].requires_grad_(False)
    X, y = batch(32, 3), torch.arange(32) % 2
    summary = inspect_activations(net, X, y, gradients=True, optimizer=torch.optim.SGD)
    assert summary.parameters()["name"].tolist() == ["2.weight", "2.bias"]
    assert (summary.to_frame("gradients")["rms"] > 0).all()
    own = inspect_activations(
        net, X, y, gradients=True, criterion=lambda out, y: 2 * nn.functional.cross_entropy(out, y)
    )
    ratio = own.to_frame("gradients")["rms"] / summary.to_frame("gradients")["rms"]
    assert ratio.tolist() == pytest.approx([2, 2, 2], rel=1e-5)


_MEMORY = """
import sys, torch
from pathlib import Path
from torch import nn
from initsk import inspect_activations
net = nn.Sequential(nn.Linear(50, 200), nn.ReLU(), nn.Linear(200, 10))
stream = (torch.randn(1000, 50) for _ in range(int(sys.argv[1])))
inspect_activations(net, stream)
print(next(l for l in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in l).split()[1])
"""


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_memory_is_flat():
    peaks = [
        int(subprocess.run([sys.executable, "-c", _MEMORY, n], capture_output=True, text=True, check=True).stdout)
        for n in ("30", "300")
    ]
    assert peaks[1] < 1.05 * peaks[0]
