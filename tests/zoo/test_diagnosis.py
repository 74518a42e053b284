"""Diagnoses of the networks in the table on small tasks: default initializations train, and are called healthy."""

import pytest

from initsk import diagnose
from tests.zoo.table import all_rows, built, isolated
from tests.zoo.tasks import batch_of, no_task_reason, task_of

pytestmark = pytest.mark.slow
ROWS = [pytest.param(row, id=f"{row.package}-{row.name}") for row in all_rows()]

# Networks that train on their task and get a score below 0.5, with the score.
FALSE_ALARMS = {"Wav2Vec2ForCTC": 0.15}


@pytest.mark.parametrize("row", ROWS, indirect=True)
def test_default_networks_are_called_healthy(row):
    reason = no_task_reason(row)
    if reason is not None:
        pytest.skip(reason)
    with isolated():
        module, task = built(row), task_of(row)
        before = {name: value.clone() for name, value in module.state_dict().items()}
        X, y = batch_of(task, slice(None))
        diagnosis = diagnose(
            module, X, y, optimizer=task.optimizer, lr=task.lr, criterion=task.criterion, budget=task.n_steps,
            batch_size=task.batch_size, max_samples=64, time_limit=20,
        )  # fmt: skip
        findings = diagnosis.findings()
    assert all(value.equal(before[name]) for name, value in module.state_dict().items())
    if row.name in FALSE_ALARMS:
        assert diagnosis.score < 0.5
        assert findings["decides"].any()
        return
    assert diagnosis.will_train, findings
    assert not findings["decides"].any()
