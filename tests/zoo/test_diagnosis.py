"""Diagnoses of the networks in the table on small tasks: default initializations train, and are called healthy."""

from functools import partial

import pytest
import torch

from initsk import diagnose
from tests.zoo.table import all_rows, built, isolated
from tests.zoo.tasks import batch_of, no_task_reason, task_of

pytestmark = pytest.mark.slow
ROWS = [pytest.param(row, id=f"{row.package}-{row.name}") for row in all_rows()]

OPTIMIZERS = {"adam": "adam", "adamw": "adamw", "sgd": partial(torch.optim.SGD, momentum=0.9)}
# Networks that get a score below 0.5, with the score. The running moments of MobileNetV3's batch normalization are
# behind after 100 steps, so that its loss in evaluation mode stays at the baseline.
FALSE_ALARMS = {
    "Wav2Vec2ForCTC": 0.15, "mobilenet_v3_small": 0.34, "fcn_resnet50": 0.04, "deeplabv3_resnet50": 0.05,
    "inception_v3": 0.16,
}  # fmt: skip
# Networks that do not train on their task: after 100 steps, WideResNet has 12 times the baseline loss or more.
RIGHT_ALARMS = {"wide_resnet50_2": 0.05}


@pytest.mark.parametrize("row", ROWS, indirect=True)
def test_default_networks_are_called_healthy(row):
    reason = no_task_reason(row)
    if reason is not None:
        pytest.skip(reason)
    with isolated():
        module, task = built(row), task_of(row)
        before = {name: value.clone() for name, value in module.state_dict().items()}
        X, y = batch_of(task, slice(None))
        training = {"optimizer": OPTIMIZERS[task.optimizer], "lr": task.lr, "criterion": task.criterion}
        sizes = {"budget": task.n_steps, "batch_size": task.batch_size, "max_samples": 64}
        diagnosis = diagnose(module, X, y, **training, **sizes)
        findings = diagnosis.findings()
    assert all(value.equal(before[name]) for name, value in module.state_dict().items())
    if row.name in FALSE_ALARMS | RIGHT_ALARMS:
        assert diagnosis.score < 0.5
        assert findings["decides"].any()
        return
    assert diagnosis.will_train, findings
    assert not findings["decides"].any()
