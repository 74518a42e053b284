"""Streams of batches: their random states, and batches of few samples."""

import random

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, RandomSampler, TensorDataset

from initsk import diagnose
from initsk.utils.random import isolated_random
from tests.helpers import batch, build

X = batch(256, 6).float()
Y = (X[:, 0] > 0).long() + (X[:, 1] > 0).long()
FAST = {"lr": 0.01, "trial_steps": 8, "budget": 16}


class Noisy(TensorDataset):
    """Samples with noise of generators of its own and of the global random states."""

    def __init__(self):
        super().__init__(X, Y)
        self.noise = np.random.default_rng(0)

    def __getitem__(self, row):
        x, y = super().__getitem__(row)
        return x + 0.01 * float(self.noise.normal()) + 0.01 * random.random() + 0.01 * np.random.rand(), y  # noqa: NPY002


def net():
    return build(lambda: nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 3))).float()


def loader(**options):
    return DataLoader(Noisy(), 16, **{"shuffle": True} | options)


def with_sampler():
    sampler = RandomSampler(X, generator=torch.Generator().manual_seed(1))
    return loader(shuffle=False, sampler=sampler)


@pytest.mark.parametrize(
    "make",
    [loader, lambda: loader(generator=torch.Generator().manual_seed(0)), with_sampler],
    ids=["shuffled", "generator", "sampler"],
)
def test_the_next_epoch_of_a_loader_is_what_it_would_have_been(make):
    def epoch(given):
        with isolated_random(0):
            return torch.cat([x for x, _ in given])

    given = make()
    expected = epoch(make())
    diagnosis = diagnose(net(), given, **FAST)
    diagnosis.learning_rates([0.1])
    assert epoch(given).equal(expected)
    assert diagnosis.trial.equals(diagnose(net(), make(), **FAST).trial)


def test_an_iteration_with_persistent_workers_goes_on():
    data = DataLoader(TensorDataset(X, Y), 16, num_workers=1, persistent_workers=True)
    with isolated_random(0):
        iterator = iter(data)
        first, _ = next(iterator)
        diagnose(net(), data, **FAST)
        assert data._iterator is iterator
        assert torch.cat([first, *(x for x, _ in iterator)]).equal(X)


@pytest.mark.parametrize("batch_size", [1, 3])
def test_batches_of_few_samples_have_gradients_of_samples(batch_size):
    few = diagnose(net(), DataLoader(TensorDataset(X, Y), batch_size), max_samples=32, **FAST | {"trial_steps": 32})
    many = diagnose(net(), DataLoader(TensorDataset(X, Y), 16), max_samples=32, **FAST)
    assert few.measurements.coherence.size == pytest.approx(many.measurements.coherence.size, rel=0.2)
    assert not {"small gradient", "incoherent"} & set(few.findings()["kind"])


def test_single_samples_of_different_shapes_are_measured_one_by_one():
    images = [torch.rand(1, 1, 4 + i % 3, 5, generator=torch.Generator().manual_seed(i)) for i in range(40)]
    stream = [(image, torch.tensor([i % 2])) for i, image in enumerate(images)]
    module = build(lambda: nn.Sequential(nn.Conv2d(1, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2)))
    diagnosis = diagnose(module.float(), stream, **FAST)
    assert diagnosis.measurements.coherence.size > 0
    assert "small gradient" not in set(diagnosis.findings()["kind"])
