"""The time limit of a diagnosis."""

import time

import numpy as np
import pytest
import torch
from torch import nn

from initsk import diagnose, recommend_initializer
from initsk.exceptions import InvalidParameterError
from initsk.report import answer_of_rates
from tests.helpers import Net, batch, build

X = batch(400, 6)
Y = (X[:, 0] > 0).long()
PAUSE = 0.02


class Passes:
    """A clock that shows the time of forward passes alone, so that a busy machine makes no difference."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture(autouse=True)
def passes(monkeypatch):
    clock = Passes()
    monkeypatch.setattr(time, "perf_counter", clock)
    return clock


def slow():
    def forward(self, x):
        time.perf_counter.now += PAUSE
        return self.last(torch.relu(self.first(x)))

    return build(lambda: Net(forward, first=nn.Linear(6, 16), last=nn.Linear(16, 2)))


def everything(diagnosis):
    return diagnosis.findings(), diagnosis.learning_rates(), diagnosis.rate_range, diagnosis.recommended_score


def test_the_limit_bounds_all_that_a_diagnosis_measures(passes):
    diagnosis = diagnose(slow(), X, Y, batch_size=20, time_limit=1.5)
    frame = everything(diagnosis)[1]
    n_passes = len(diagnosis.setup.batches)
    # What has begun when the time is up: the gradients of the measured samples after a trial of one step, and a copy.
    assert passes.now < 1.5 + (3 * n_passes + 1) * PAUSE
    assert diagnosis.is_time_up
    assert len(frame) < 9
    assert np.isnan(diagnosis.recommended_score)


def test_the_smallest_diagnosis_is_two_batches_and_one_step():
    diagnosis = diagnose(slow(), X, Y, batch_size=20, time_limit=1e-6)
    frame = everything(diagnosis)[1]
    assert (len(diagnosis.setup.batches), len(diagnosis.trial), frame["lr"].tolist()) == (2, 1, [diagnosis.lr])
    assert 0 <= diagnosis.score <= 1
    # The loss after the 32 steps of all trials is not known.
    assert frame["steps"].tolist() == [1]
    assert frame["loss"].isna().all()
    assert answer_of_rates(diagnosis).endswith("The time was up before all rates were tried.")
    assert "The time was up after 1 step of the trial" in str(diagnosis)


def test_time_between_calls_does_not_count(passes):
    diagnosis = diagnose(slow(), X[:40], Y[:40], batch_size=20, time_limit=60.0, trial_steps=1, budget=2)
    left = diagnosis.setup.clock.left
    passes.now += 0.1
    assert diagnosis.setup.clock.left == left
    assert len(diagnosis.learning_rates([0.1])) == 1
    assert diagnosis.setup.clock.left < left


def test_a_recommendation_leaves_out_what_there_is_no_time_for(passes):
    found = recommend_initializer(slow(), X, Y, time_limit=1e-6)
    assert found.measured["initializer"].tolist() == ["auto"]
    assert found.to_frame()["initializer"].equals(recommend_initializer(slow()).to_frame()["initializer"])
    begin = passes.now
    recommend_initializer(slow(), X, Y)
    of_all, begin = passes.now - begin, passes.now
    assert 1 < len(recommend_initializer(slow(), X, Y, time_limit=of_all / 2).measured) < 7
    assert passes.now - begin < 0.75 * of_all
    with pytest.raises(InvalidParameterError, match="time_limit"):
        recommend_initializer(slow(), X, Y, time_limit=0)
