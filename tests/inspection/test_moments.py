"""Running moments against numpy and scipy, over many distributions and splits."""

import numpy as np
import pytest
import torch
from scipy import stats

from initsk.inspection import (
    FixedHistogram,
    RunningMoments,
    StreamingHistogram,
)
from tests.helpers import batch
from tests.inspection.support import DRAWS, each_value


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
        # scipy loses digits far from zero.
        rel = 1e-6 if name == "far" else 1e-9
        assert [m.mean, m.std, m.rms, m.skewness, m.kurtosis] == pytest.approx(expected, rel=rel)
        assert (m.count, m.zeros, m.min, m.max) == (len(x), int((x == 0).sum()), float(x.min()), float(x.max()))


def test_a_billion_values():
    """A thousand updates with the same values, added to themselves, have the mean and variance of these values."""
    x = torch.rand(125_000, generator=torch.Generator().manual_seed(0))
    moments = RunningMoments()
    for _ in range(1000):
        moments.update(x)
    for _ in range(3):
        moments = moments + moments
    d = x.double().numpy()
    assert moments.count == 10**9
    assert [moments.mean, moments.variance] == pytest.approx([d.mean(), d.var()], rel=1e-9)


def test_moments_without_variation():
    for m in (RunningMoments().update(torch.full((9,), 0.1)), RunningMoments()):
        assert np.isnan([m.skewness, m.kurtosis]).all()
    assert RunningMoments().update(torch.full((9,), 0.1)).std == 0
    assert RunningMoments().update(torch.tensor([torch.nan, torch.inf])).nonfinite == 2


@each_value
def test_moments_add_in_any_order(values):
    parts = [RunningMoments().update(part) for part in (values[:7], values[7:1000], values[1000:], torch.empty(0))]
    a, b, c, nothing = parts
    d = values.double().numpy()
    for whole in ((a + b) + c, a + (b + c), c + a + b, nothing + a + c + b + nothing):
        assert whole.count == len(d)
        assert [whole.mean, whole.rms] == pytest.approx([d.mean(), np.sqrt(np.mean(d**2))], rel=1e-9)
        # The tolerance is relative to the values: deviations of a constant are only rounding.
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
    found = [moments.mean, moments.std, moments.skewness, moments.kurtosis]
    assert found == pytest.approx([d.mean(), d.std(), stats.skew(d), stats.kurtosis(d)], rel=1e-6)


def test_nonfinite_values_are_counted_and_skipped():
    values = torch.tensor([torch.nan, 1.0, torch.inf, 0.0, -torch.inf, 5.0])
    moments = RunningMoments().update(values)
    assert (moments.count, moments.nonfinite, moments.mean, moments.zeros) == (3, 3, 2.0, 1)
    assert StreamingHistogram().update(values).counts.sum() == 3
    assert FixedHistogram([0, 2]).update(values).counts.tolist() == [0, 2, 1]
    nothing = RunningMoments().update(values[:1])
    assert (nothing.count, nothing.nonfinite) == (0, 1)
    assert np.isnan([nothing.std, nothing.rms, nothing.zero_fraction]).all()


def values(seed=0, n=1000):
    return torch.randn(n, generator=torch.Generator().manual_seed(seed)) * 3 + 1


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
