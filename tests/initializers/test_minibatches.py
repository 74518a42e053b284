"""Minibatches of GradInit and MetaInit."""

import copy

import pytest
import torch
from torch import nn

from initsk import initialize
from initsk.initializers import (
    GradInit,
    MetaInit,
)
from initsk.network import MLP
from tests.helpers import batch, build

pytestmark = pytest.mark.usefixtures("one_thread")


def test_minibatches_of_named_arguments():
    class Named(MLP):
        def forward(self, x):
            return super().forward(x)

    X, y = batch(40, 6), torch.arange(40) % 3
    a = build(lambda: Named(6, 3, (8,)))
    b = copy.deepcopy(a)
    s = GradInit(n_steps=3, batch_size=8)
    initialize(a, s, X={"x": X}, y=y, random_state=0)
    initialize(b, s, X=X, y=y, random_state=0)
    assert torch.equal(a.hidden_1.weight, b.hidden_1.weight)


def rows_seen_by(scheme):
    """Return the rows of each minibatch; the target of a row is its number."""
    seen = []

    def loss(out, t):
        seen.append(t.tolist())
        return (out.squeeze() - t).square().mean()

    X, y = batch(40, 3), torch.arange(40.0)
    module = build(lambda: nn.Linear(3, 1))
    initialize(module, scheme.set_params(criterion=loss), X=X, y=y, random_state=0)
    return seen


def test_one_half_of_the_rows_is_kept():
    # The second minibatch of a step has one half of the rows of the first, and new rows for the other half.
    seen = rows_seen_by(GradInit(gamma=1e30, n_steps=1, batch_size=8))
    first, second = map(set, seen)
    assert len(second) == 8
    assert len(first & second) == 4


def test_each_row_occurs_once_per_epoch():
    seen = rows_seen_by(MetaInit(n_steps=5, batch_size=8))
    rows = [row for part in seen for row in part]
    assert sorted(rows) == list(range(40))
    assert rows != sorted(rows)
