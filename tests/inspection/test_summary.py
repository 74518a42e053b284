"""Summaries: types of the frames, sums of summaries, and the options of an inspection."""

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from initsk import inspect_activations
from initsk.exceptions import InvalidParameterError
from tests.helpers import batch, build


def network():
    return build(lambda: nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 2)))


def test_frames_have_fixed_types():
    X, y = batch(20, 3), torch.arange(20) % 2
    texts = {"layer", "position", "module", "function", "name", "kind", "of", "relative_to", "what"}
    # pandas 3 has its own type for text.
    types = dict.fromkeys(texts, str(pd.Series(["text"]).dtype)) | {"decides": "bool"}
    types |= dict.fromkeys(("units", "count", "nonfinite", "size"), "int64")
    for gradients in (False, True):
        summary = inspect_activations(network(), X, y, gradients=gradients)
        frames = [summary.parameters(), summary.findings()]
        frames += [frame(of) for of in ("activations", "gradients") for frame in (summary.to_frame, summary.histograms)]
        for frame in frames:
            kinds = frame.dtypes.astype(str)
            expected = [types.get(name, "float64") for name in frame.columns]
            assert kinds.tolist() == expected


def test_two_halves_add_up_and_batches_do_not_matter():
    X = batch(101, 3)
    whole = inspect_activations(network(), X)
    halves = inspect_activations(network(), X[:40]) + inspect_activations(network(), X[40:])
    small = inspect_activations(network(), X, batch_size=7)
    for other in (halves, small):
        pd.testing.assert_frame_equal(other.to_frame(), whole.to_frame(), rtol=1e-4, atol=1e-6)
    # Matrix products of small batches round differently, but no value is lost.
    assert halves.histograms()["count"].sum() == whole.histograms()["count"].sum() == 101 * 12


def test_an_inspection_measures_what_its_arguments_choose():
    X = batch(50, 3)
    after = inspect_activations(network(), X, positions="activation", measures=(), bins=8, edges=[-1, 0, 1])
    assert after.to_frame()[["layer", "position"]].to_numpy().tolist() == [["0", "activation"], ["2", "output"]]
    assert after.to_frame()[["dead_fraction", "effective_rank", "mean_cosine"]].isna().all(axis=None)
    assert after.histograms()["left"].tolist() == [-np.inf, -1, 0, 1] * 2
    assert after.histograms().groupby("layer")["count"].sum().tolist() == [250, 100]
    before = inspect_activations(network(), X, positions="pre_activation").to_frame()
    assert before[["layer", "position"]].to_numpy().tolist() == [["0", "pre_activation"], ["2", "output"]]


def test_summaries_of_different_measures_cannot_be_added():
    X = batch(20, 3)
    some, every = inspect_activations(network(), X, measures=("samples",)), inspect_activations(network(), X)
    for first, second in ((some, every), (every, some)):
        with pytest.raises(InvalidParameterError, match="different measures"):
            first + second


@pytest.mark.parametrize("other", [{}, {"edges": [0, 2]}])
def test_summaries_of_different_edges_cannot_be_added(other):
    X = batch(20, 3)
    with pytest.raises(ValueError, match="edges"):
        inspect_activations(network(), X, edges=[0, 1]) + inspect_activations(network(), X, **other)


def test_empty_frames_have_the_same_types():
    empty = inspect_activations(network(), batch(5, 3))
    full = inspect_activations(network(), batch(5, 3), torch.arange(5) % 2, gradients=True)
    for frame in ("to_frame", "histograms"):
        found, true = getattr(empty, frame)("gradients"), getattr(full, frame)("gradients")
        assert len(found) == 0 < len(true)
        pd.testing.assert_series_equal(found.dtypes, true.dtypes)
    pd.testing.assert_series_equal(empty.parameters().dtypes, full.parameters().dtypes)
