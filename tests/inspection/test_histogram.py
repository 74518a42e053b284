"""What is measured: laws over many distributions, however the values are split."""

from functools import reduce
from operator import add

import numpy as np
import pytest
import torch
from scipy import stats

from initsk.inspection import (
    FixedHistogram,
    RunningCovariance,
    RunningMoments,
    SampleCosines,
    StreamingHistogram,
    UnitStatistics,
)
from tests.helpers import batch

UNIFORM = torch.rand(3000, generator=torch.Generator().manual_seed(1))
VALUES = {
    "skewed": batch(3000).exp(),
    "two peaks": torch.cat([batch(1500) - 20, batch(1500) + 20]),
    "heavy tails": torch.tan(3.1 * (UNIFORM - 0.5)),
    "half zeros": batch(3000).relu(),
    "integers": (UNIFORM * 6).floor(),
    "tiny": UNIFORM * 1e-30,
    "huge": batch(3000) * 1e30,
    "one value": torch.tensor([-0.3]),
    "constant": torch.full((50,), 7.1),
    "outlier": torch.cat([batch(2999), torch.tensor([1e4])]),
}
each_value = pytest.mark.parametrize("values", VALUES.values(), ids=VALUES)


@each_value
def test_moments_add_in_any_order(values):
    parts = [RunningMoments().update(part) for part in (values[:7], values[7:1000], values[1000:], torch.empty(0))]
    a, b, c, nothing = parts
    d = values.double().numpy()
    for whole in ((a + b) + c, a + (b + c), c + a + b, nothing + a + c + b + nothing):
        assert whole.count == len(d)
        assert [whole.mean, whole.rms] == pytest.approx([d.mean(), np.sqrt(np.mean(d**2))], rel=1e-9)
        # Relative to the size of the values: a constant's deviations are rounding alone.
        assert whole.std == pytest.approx(d.std(), rel=1e-9, abs=1e-12 * abs(d).max())
        if np.ptp(d) > 0:
            assert [whole.skewness, whole.kurtosis] == pytest.approx([stats.skew(d), stats.kurtosis(d)], rel=1e-6)
        else:
            assert np.isnan([whole.skewness, whole.kurtosis]).all()


def test_moments_over_a_thousand_batches():
    values = batch(1000, 37).exp() + 1000
    moments = RunningMoments()
    for part in values:
        moments.update(part)
    d = values.double().numpy().ravel()
    told = [moments.mean, moments.std, moments.skewness, moments.kurtosis]
    assert told == pytest.approx([d.mean(), d.std(), stats.skew(d), stats.kurtosis(d)], rel=1e-6)


def test_what_is_not_finite_is_counted_and_left_out():
    values = torch.tensor([torch.nan, 1.0, torch.inf, 0.0, -torch.inf, 5.0])
    moments = RunningMoments().update(values)
    assert (moments.count, moments.nonfinite, moments.mean, moments.zeros) == (3, 3, 2.0, 1)
    assert StreamingHistogram().update(values).counts.sum() == 3
    assert FixedHistogram([0, 2]).update(values).counts.tolist() == [0, 2, 1]
    nothing = RunningMoments().update(values[:1])
    assert (nothing.count, nothing.nonfinite) == (0, 1)
    assert np.isnan([nothing.std, nothing.rms, nothing.zero_fraction]).all()


@each_value
@pytest.mark.parametrize("bins", [2, 16, 128])
def test_quantiles_are_within_a_bin_of_the_values(values, bins):
    histogram = reduce(add, (StreamingHistogram(bins).update(part) for part in values.split(700)))
    assert len(histogram.counts) <= bins
    for q in np.linspace(0, 1, 21):
        true = np.quantile(values.double().numpy(), q, method="inverted_cdf")
        assert abs(histogram.quantile(q) - true) <= histogram.width, q


@each_value
def test_fixed_histograms_of_any_edges(values):
    d = values.double().numpy()
    # Edges at values themselves, between them, and outside.
    for edges in (np.unique(np.quantile(d, [0.2, 0.5, 0.9])), [d.min() - 1, d.max() + 1], [0.0, 0.5, 1.0]):
        if len(edges) < 2:
            continue
        told = reduce(add, (FixedHistogram(edges).update(part) for part in values.split(999))).to_frame()
        assert told["count"].tolist() == [(d < edges[0]).sum(), *np.histogram(d, edges)[0], (d > edges[-1]).sum()]
        inside = (told["density"] * (told["right"] - told["left"])).iloc[1:-1].sum()
        assert inside == pytest.approx(np.histogram(d, edges)[0].sum() / len(d), abs=1e-12)


a, b = batch(500), batch(500, seed=1)


@pytest.mark.parametrize(
    ("columns", "dead", "copied"),
    [
        ([a, a.clone(), b], 0, 2 / 3),
        ([a, -a, 2 * a, a + 1], 0, 0),
        ([a, a.flip(0), a.sort().values], 0, 0),
        ([a * 1e-30, a * 1e-30, b * 1e-30], 0, 2 / 3),
        ([torch.zeros(500), torch.full((500,), 1e-30), b], 1 / 3, 0),
        ([torch.ones(500), torch.ones(500), torch.full((500,), 2.0)], 0, 2 / 3),
        ([a], 0, 0),
        ([torch.zeros(500)], 1, 0),
        ([b, torch.full((500,), torch.nan), b.clone(), torch.zeros(500)], 1 / 4, 1 / 2),
    ],
)
@pytest.mark.parametrize("size", [500, 128, 1])
def test_dead_and_copied_by_hand(columns, dead, copied, size):
    parts = torch.stack(columns, 1).split(size)
    streamed = UnitStatistics()
    for part in parts:
        streamed.update(part)
    for units in (streamed, reduce(add, (UnitStatistics().update(part) for part in parts))):
        assert [units.dead_fraction, units.copied_fraction] == pytest.approx([dead, copied])


@pytest.mark.parametrize("n_parts", [2, 4, 256])
def test_copies_are_the_same_row_by_row_in_sums_too(n_parts):
    """The second unit has the values of the first, at other samples of other parts."""
    units = torch.stack([batch(256), batch(256).roll(256 // n_parts)], 1)
    parts = [UnitStatistics().update(part) for part in units.split(256 // n_parts)]
    assert reduce(add, parts).copied_fraction == 0
    assert UnitStatistics().update(units).copied_fraction == 0


def test_units_that_differ_are_no_copies():
    """Four sums agree to 1e-5 of their size by chance: false alarms below 1e-12 in all of these 400 thousand pairs."""
    for seed in range(20):
        assert UnitStatistics().update(batch(50, 200, seed=seed)).copied_fraction == 0


@pytest.mark.parametrize(
    ("rows", "mean"),
    [
        ([[1.0, 2.0], [-2.0, -4.0]], -1),
        ([[1.0, 0.0], [0.0, 3.0]], 0),
        ([[1.0, 1.0], [5.0, 5.0], [0.0, 0.0]], 1),
        ([[1.0, 0.0], [1.0, 3**0.5]], 0.5),
        ([[1.0, 0.0], [torch.nan, 1.0], [torch.inf, 1.0], [2.0, 0.0]], 1),
        ([[1.0, 1.0]], np.nan),
    ],
)
def test_cosines_by_hand(rows, mean):
    rows = torch.tensor(rows)
    split = reduce(add, (SampleCosines().update(row[None]) for row in rows))
    for told in (SampleCosines().update(rows).mean, split.mean):
        assert told == pytest.approx(mean, abs=1e-6, nan_ok=True)


@pytest.mark.parametrize("k", [1, 2, 5])
@pytest.mark.parametrize(("offset", "dtype"), [(0.0, torch.float32), (1e3, torch.float32), (1e6, torch.float64)])
def test_k_equal_directions(k, offset, dtype):
    turn = torch.linalg.qr(batch(7, 7).double()).Q[:k]
    rows = (torch.cat([turn, -turn]) * 3 + offset).to(dtype)
    for spread in (RunningCovariance().update(rows), reduce(add, (RunningCovariance().update(r[None]) for r in rows))):
        assert [spread.effective_rank, spread.participation_ratio] == pytest.approx([k, k], rel=1e-3)


def test_effective_rank_from_numpys_eigenvalues():
    rows = batch(300, 8).double() @ torch.diag(2.0 ** -torch.arange(8).double()) + 5
    shares = np.linalg.eigvalsh(np.cov(rows.numpy().T))
    shares = shares / shares.sum()
    spread = reduce(add, (RunningCovariance().update(part) for part in rows.split(41)))
    expected = [np.exp(-(shares * np.log(shares)).sum()), 1 / (shares**2).sum()]
    assert [spread.effective_rank, spread.participation_ratio] == pytest.approx(expected, rel=1e-6)
