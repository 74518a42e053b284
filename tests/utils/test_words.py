"""Numbers with their nouns, also in what objects print of themselves."""

import numpy as np
from torch import nn

from initsk import initialize, inspect_activations
from initsk.utils.words import counted
from tests.helpers import batch, build


def test_one_has_the_singular():
    assert [counted(n, "row") for n in (0, 1, 2)] == ["0 rows", "1 row", "2 rows"]
    assert [counted(n, "branch", "branches") for n in (1, np.int64(1), 3)] == ["1 branch", "1 branch", "3 branches"]


def test_objects_with_one_part():
    record = initialize(build(lambda: nn.Linear(1, 1, bias=False)), "ones")
    assert repr(record).startswith("InitializationRecord(1 parameter touched, 0 left;")
    assert record.summary().startswith("filled 100.0 % of 1 value (1 parameter), kept")
    summary = inspect_activations(build(lambda: nn.Linear(3, 2)), batch(4, 3))
    assert repr(summary).startswith("ActivationSummary(1 layer;")
