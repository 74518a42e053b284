"""Streaming and fixed histograms against numpy, over many distributions and splits."""

from functools import reduce
from operator import add

import numpy as np
import pandas as pd
import pytest
import torch

from initsk.inspection import (
    FixedHistogram,
    StreamingHistogram,
    pool_histograms,
)
from tests.inspection.support import DRAWS, each_value


@pytest.mark.parametrize("name", DRAWS)
@pytest.mark.parametrize("q", [0.0, 0.01, 0.25, 0.5, 0.95, 1.0])
def test_quantiles_are_within_a_bin(name, q):
    x = DRAWS[name]
    histogram = StreamingHistogram().update(x)
    low, high = (np.quantile(x.double().numpy(), q, method=m) for m in ("lower", "higher"))
    assert low - histogram.width <= histogram.quantile(q) <= high + histogram.width


def test_counts_over_fixed_edges_equal_numpys():
    x, edges = DRAWS["normal"].round(decimals=1), np.linspace(-2, 3, 11)
    counts = sum((FixedHistogram(edges).update(part) for part in x.split(777)), FixedHistogram(edges)).counts
    assert counts[1:-1].tolist() == np.histogram(x.double().numpy(), edges)[0].tolist()
    assert (counts[0], counts[-1]) == (int((x.double() < -2).sum()), int((x.double() > 3).sum()))
    with pytest.raises(ValueError, match="different edges"):
        FixedHistogram([0, 1]) + FixedHistogram([0, 2])


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
    # Edges are equal to values, between values and outside their range.
    for edges in (np.unique(np.quantile(d, [0.2, 0.5, 0.9])), [d.min() - 1, d.max() + 1], [0.0, 0.5, 1.0]):
        if len(edges) < 2:
            continue
        found = reduce(add, (FixedHistogram(edges).update(part) for part in values.split(999))).to_frame()
        assert found["count"].tolist() == [(d < edges[0]).sum(), *np.histogram(d, edges)[0], (d > edges[-1]).sum()]
        inside = (found["density"] * (found["right"] - found["left"])).iloc[1:-1].sum()
        assert inside == pytest.approx(np.histogram(d, edges)[0].sum() / len(d), abs=1e-12)


def values(seed=0, n=1000):
    return torch.randn(n, generator=torch.Generator().manual_seed(seed)) * 3 + 1


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
    # numpy's last bin includes its right edge; no value here lies on an edge.
    assert whole.counts.tolist() == expected.tolist()


def test_histogram_of_constants_and_tiny_numbers():
    zeros = StreamingHistogram().update(torch.zeros(5))
    assert zeros.counts.tolist() == [5]
    grown = zeros.update(torch.tensor([1e-30, 1e6, -1e6, float("nan")]))
    assert grown.counts.sum() == 8
    assert grown.edges[0] <= -1e6
    assert grown.edges[-1] > 1e6


def test_pooled_histograms_are_sums():
    x = values()
    a, b = StreamingHistogram(32).update(x[:100] / 50), StreamingHistogram(32).update(x[100:])
    pooled = pool_histograms(pd.concat([a.to_frame(), b.to_frame()]), 32)
    assert pooled["count"].sum() == 1000
    assert (pooled["density"] * (pooled["right"] - pooled["left"])).sum() == pytest.approx(1)
