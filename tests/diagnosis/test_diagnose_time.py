"""The time limit of a diagnosis."""

import time

import numpy as np
import torch
from torch import nn

from initsk import diagnose
from initsk.report import answer_of_rates
from tests.helpers import Net, batch, build

X = batch(400, 6)
Y = (X[:, 0] > 0).long()
PAUSE = 0.02


def slow():
    def forward(self, x):
        time.sleep(PAUSE)
        return self.last(torch.relu(self.first(x)))

    return build(lambda: Net(forward, first=nn.Linear(6, 16), last=nn.Linear(16, 2)))


def everything(diagnosis):
    return diagnosis.findings(), diagnosis.learning_rates(), diagnosis.rate_range, diagnosis.recommended_score


def test_the_limit_bounds_all_that_a_diagnosis_measures():
    begin = time.perf_counter()
    diagnosis = diagnose(slow(), X, Y, batch_size=20, time_limit=1.5)
    frame = everything(diagnosis)[1]
    taken = time.perf_counter() - begin
    n_passes = len(diagnosis.setup.batches)
    # What has begun when the time is up: the gradients of the measured samples after a trial of one step, and a copy.
    assert taken < 1.5 + 3 * n_passes * PAUSE + 1.0
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


def test_time_between_calls_does_not_count():
    diagnosis = diagnose(slow(), X[:40], Y[:40], batch_size=20, time_limit=60.0, trial_steps=1, budget=2)
    left = diagnosis.setup.clock.left
    time.sleep(0.1)
    assert diagnosis.setup.clock.left == left
    assert len(diagnosis.learning_rates([0.1])) == 1
    assert diagnosis.setup.clock.left < left
