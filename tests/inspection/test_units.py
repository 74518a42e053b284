"""Dead and copied units, covariance and cosines: known answers, and the same for any split of the rows."""

from functools import reduce
from operator import add

import numpy as np
import pytest
import torch

from initsk.inspection import (
    RunningCovariance,
    SampleCosines,
    UnitStatistics,
)
from tests.helpers import batch

COLUMNS = torch.stack([batch(9000, seed=i) for i in range(3)], 1)


# A copy of the first unit, three dead units, and a unit that differs from the second in a single row.
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


def test_units_with_nonfinite_values_are_not_dead():
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
def test_effective_rank_and_participation_ratio_by_hand(rows, rank, participation):
    half = len(rows) // 2
    halves = RunningCovariance().update(rows[:half]) + RunningCovariance().update(rows[half:])
    for spread in (RunningCovariance().update(rows), halves):
        found = [spread.effective_rank, spread.participation_ratio]
        assert found == pytest.approx([rank, participation], rel=1e-5, nan_ok=True)


def test_covariance_equals_numpys():
    rows = batch(400, 6) @ batch(6, 6, seed=1) + 3
    spread = RunningCovariance()
    for part in rows.split(37):
        spread.update(part)
    expected = np.cov(rows.double().numpy().T, bias=True)
    np.testing.assert_allclose(spread.scatter / spread.count, expected, rtol=1e-5, atol=1e-5)


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
def test_units_with_equal_values_at_different_samples_are_not_copies(n_parts):
    """The second unit has the values of the first unit at samples of other parts."""
    units = torch.stack([batch(256), batch(256).roll(256 // n_parts)], 1)
    parts = [UnitStatistics().update(part) for part in units.split(256 // n_parts)]
    assert reduce(add, parts).copied_fraction == 0
    assert UnitStatistics().update(units).copied_fraction == 0


def test_different_units_are_not_copies():
    """The probability of a false alarm in any of the 400 thousand pairs is below 1e-12."""
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
    for measured in (SampleCosines().update(rows).mean, split.mean):
        assert measured == pytest.approx(mean, abs=1e-6, nan_ok=True)


@pytest.mark.parametrize("k", [1, 2, 5])
@pytest.mark.parametrize(("offset", "dtype"), [(0.0, torch.float32), (1e3, torch.float32), (1e6, torch.float64)])
def test_effective_rank_of_k_equal_directions_is_k(k, offset, dtype):
    turn = torch.linalg.qr(batch(7, 7).double()).Q[:k]
    rows = (torch.cat([turn, -turn]) * 3 + offset).to(dtype)
    for spread in (RunningCovariance().update(rows), reduce(add, (RunningCovariance().update(r[None]) for r in rows))):
        assert [spread.effective_rank, spread.participation_ratio] == pytest.approx([k, k], rel=1e-3)


def test_effective_rank_equals_that_of_numpys_eigenvalues():
    rows = batch(300, 8).double() @ torch.diag(2.0 ** -torch.arange(8).double()) + 5
    shares = np.linalg.eigvalsh(np.cov(rows.numpy().T))
    shares = shares / shares.sum()
    spread = reduce(add, (RunningCovariance().update(part) for part in rows.split(41)))
    expected = [np.exp(-(shares * np.log(shares)).sum()), 1 / (shares**2).sum()]
    assert [spread.effective_rank, spread.participation_ratio] == pytest.approx(expected, rel=1e-6)
