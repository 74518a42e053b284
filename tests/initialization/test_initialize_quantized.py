"""`initialize` on networks with quantized layers, which have no weights to fill."""

import pytest
import torch
from torch import nn

from initsk import initialize
from initsk.exceptions import ModuleError
from tests.helpers import batch, build

X = batch(64, 6)


def quantized(*before):
    parts = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.LSTM(8, 3))
    kinds = {nn.Linear, nn.LSTM}
    return nn.Sequential(*before, torch.ao.quantization.quantize_dynamic(parts, kinds, dtype=torch.qint8))


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")
@pytest.mark.parametrize(
    ("make", "where"),
    [
        (quantized, "0.0"),
        (lambda: quantized(nn.Linear(6, 6)), "1.0"),
        (lambda: nn.DataParallel(quantized()), "0.0"),
        (lambda: quantized()[0][0], "module"),
    ],
    ids=["whole", "in part", "wrapped", "layer"],
)
def test_quantized_layers_have_no_weights_to_fill(make, where):
    module = build(make)
    before = {name: value.clone() for name, value in module.named_parameters()}
    with pytest.raises(ModuleError, match=rf"^{where} is quantized \(Linear\) .*allowed: the float module"):
        initialize(module, "he_normal", X=X)
    assert all(torch.equal(value, before[name]) for name, value in module.named_parameters())


def test_a_class_of_a_user_may_have_quantized_in_its_name():
    kind = type("Linear", (nn.Linear,), {"__module__": "my_quantized.layers"})
    assert initialize(build(lambda: kind(6, 3))).to_frame().loc[0, "outcome"] == "filled"
