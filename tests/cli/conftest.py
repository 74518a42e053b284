"""Networks in a file of the working directory, for the commands that take one."""

import pytest
import torch

from initsk import ComparisonResult

SOURCE = """
import torch
from torch import nn
from initsk import MLPClassifier, MLPRegressor

def good():
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))

def few():
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 3))

def bad():
    net = good()
    for parameter in net.parameters():
        nn.init.zeros_(parameter)
    return net

def image():
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 10))

def one():
    return nn.Sequential(nn.Linear(10, 8), nn.ReLU(), nn.Linear(8, 1))

def regressor():
    return MLPRegressor((8,), random_state=0)

def broken():
    raise RuntimeError("no such luck")

def talking():
    print("made")

    class Talking(nn.Linear):
        def forward(self, x):
            print("running")
            return super().forward(x)

    return nn.Sequential(nn.Flatten(), Talking(64, 32), nn.ReLU(), nn.Linear(32, 10))

def wanting(n):
    return None

clf = MLPClassifier((8,), initializer="he_normal", random_state=0)
_SEED = torch.manual_seed(0)
"""


@pytest.fixture
def without_pictures(monkeypatch):
    """Let the page of a comparison be its text: drawing takes seconds."""

    def written(result, path, *, language="en", **options):
        path.write_text(result.to_markdown(language=language))
        return path

    monkeypatch.setattr(ComparisonResult, "to_html", written)


@pytest.fixture
def networks(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my_networks.py").write_text(SOURCE)
    with torch.random.fork_rng():
        yield tmp_path
