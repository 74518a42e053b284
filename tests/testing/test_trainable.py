"""`assert_trainable` in a test of a network."""

import pytest
import torch
from torch import nn

from initsk import initialize
from initsk.exceptions import InvalidParameterError
from initsk.testing import assert_trainable
from tests.helpers import batch, build

X = batch(200, 8)
Y = (X[:, 0] > 0).long()


def net(initializer="he_normal"):
    module = build(lambda: nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 2)))
    initialize(module, initializer, random_state=0)
    return module


def test_a_healthy_network_passes_and_gives_its_diagnosis():
    diagnosis = assert_trainable(net(), X, Y, lr=0.01)
    assert diagnosis.will_train
    assert diagnosis.setup.clock.limit == 60


def test_the_message_has_score_findings_and_rates():
    with pytest.raises(AssertionError) as caught:
        assert_trainable(net("zeros"), X, Y)
    words = str(caught.value)
    assert "is below 0.5: The network will probably not train" in words
    assert "- symmetric: 100% of the units" in words
    assert "none of the learning rates" in words
    with pytest.raises(AssertionError, match=r"At the learning rate 1,?000 .* but it would at rates from"):
        assert_trainable(net(), X, Y, lr=1000.0, optimizer="sgd")


def test_the_score_that_passes():
    score = assert_trainable(net(), X, Y, lr=0.01).score
    with pytest.raises(AssertionError, match="is below 1"):
        assert_trainable(net(), X, Y, lr=0.01, min_score=1)
    assert assert_trainable(net(), X, Y, lr=0.01, min_score=0).score == score
    with pytest.raises(InvalidParameterError, match="min_score=2"):
        assert_trainable(net(), X, Y, min_score=2)


def test_options_are_those_of_a_diagnosis():
    with pytest.raises(InvalidParameterError, match="unknown optimizer 'adm'"):
        assert_trainable(net(), X, Y, optimizer="adm")
    assert assert_trainable(net(), X, Y, optimizer=torch.optim.RMSprop, time_limit=9.0).setup.clock.limit == 9
