"""Networks on a device without double precision, which does not accept tensors of the CPU."""

import subprocess
import sys
from pathlib import Path

import pytest
from torch import nn
from torch.utils import backend_registration

from initsk import MLPClassifier, initialize
from initsk.exceptions import InvalidParameterError

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
@pytest.mark.skipif(
    not hasattr(backend_registration, "_setup_privateuseone_for_python_backend"),
    reason="this version of torch has no simulated devices",
)
def test_results_on_another_device_are_those_on_the_cpu():
    script = [sys.executable, "-m", "tests.other_device"]
    done = subprocess.run(script, cwd=ROOT, capture_output=True, text=True, timeout=1200, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 differ" in done.stdout


def test_auto_without_an_accelerator_is_the_cpu(monkeypatch):
    monkeypatch.setattr("torch.accelerator.is_available", lambda: False)
    clf = MLPClassifier((4,), max_epochs=1, device="auto", random_state=0).fit([[0.0], [1.0]] * 5, [0, 1] * 5)
    assert clf.net_.device == "cpu"


@pytest.mark.parametrize("device", ["meta", "gpu", 3])
def test_devices_that_torch_cannot_use_are_refused(device):
    with pytest.raises(InvalidParameterError, match="device"):
        MLPClassifier((4,), device=device, random_state=0).fit([[0.0], [1.0]] * 5, [0, 1] * 5)
    with pytest.raises(InvalidParameterError, match="device"):
        initialize(nn.Linear(2, 2, device="meta"), device=device)
