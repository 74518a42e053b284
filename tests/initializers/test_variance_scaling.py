"""Variances and distributions of He, Glorot, LeCun and other simple initializers."""

from math import sqrt

import pytest
import torch
from scipy import stats

from initsk.initializers import (
    GlorotNormal,
    HeNormal,
    LeCunNormal,
    Orthogonal,
    RandomNormal,
    TorchDefault,
    VarianceScaling,
    Zeros,
)
from tests.helpers import label

SHAPE = (300, 400)


N = SHAPE[0] * SHAPE[1]


# initializer, expected variance for SHAPE (fan_in 400, fan_out 300)
VARIANCES = [
    (Zeros(), 0.0),
    (RandomNormal(), 1e-4),
    (RandomNormal(std=0.5), 0.25),
    (GlorotNormal(), 1 / 350),
    (HeNormal(), 2 / 400),
    (HeNormal(mode="fan_out"), 2 / 300),
    (LeCunNormal(), 1 / 400),
    (Orthogonal(), 1 / 400),
    (Orthogonal(gain=1.4), 1.96 / 400),
    (VarianceScaling(3.0, "fan_geo_avg", "uniform"), 3 / sqrt(120000)),
    (TorchDefault(), 1 / 1200),
]


@pytest.mark.parametrize(("initializer", "variance"), VARIANCES, ids=label)
def test_variance_is_the_expected_one(initializer, variance):
    # Six standard errors of a normal's variance; a uniform's and an orthogonal's are smaller: false alarms < 1e-8.
    values = initializer.sample(SHAPE, random_state=0).double()
    assert abs(float(values.pow(2).mean()) - variance) <= 6 * variance * sqrt(2 / N)
    assert abs(float(values.mean())) <= 6 * sqrt(variance / N)


@pytest.mark.parametrize(
    ("ours", "torchs"),
    [
        (GlorotNormal(), torch.nn.init.xavier_normal_),
        (HeNormal(), lambda t: torch.nn.init.kaiming_normal_(t, nonlinearity="relu")),
        (LeCunNormal(), lambda t: torch.nn.init.kaiming_normal_(t, nonlinearity="linear")),
        (TorchDefault(), lambda t: torch.nn.init.kaiming_uniform_(t, a=sqrt(5))),
    ],
    ids=label,
)
def test_same_distribution_as_torch(ours, torchs):
    # Kolmogorov-Smirnov test with a false alarm rate of 1e-4 and fixed seeds.
    with torch.random.fork_rng():
        torch.manual_seed(1)
        theirs = torchs(torch.empty(SHAPE)).flatten().numpy()
    mine = ours.sample(SHAPE, random_state=0).flatten().numpy()
    assert stats.ks_2samp(mine, theirs).pvalue > 1e-4


def test_he_and_lecun_differ_only_in_scale():
    he, lecun = (i.sample((50, 40), random_state=0) for i in (HeNormal(), LeCunNormal()))
    torch.testing.assert_close(he, lecun * sqrt(2))
