"""ICNR and BilinearUpsampling."""

import pytest
import torch
from torch import nn

from initsk import initialize
from initsk.initializers import (
    ICNR,
    BilinearUpsampling,
    PerParameter,
)
from tests.helpers import build


def test_icnr_equals_nearest_neighbor_resizing():
    module = build(lambda: nn.Conv2d(5, 3 * 9, 3, padding=1, groups=1))
    initialize(module, ICNR(3), random_state=0)
    X = torch.randn(2, 5, 7, 7, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        shuffled = nn.PixelShuffle(3)(module(X))
        small = nn.functional.conv2d(X, module.weight[::9], padding=1)
    torch.testing.assert_close(shuffled, nn.functional.interpolate(small, scale_factor=3, mode="nearest"))
    # He's variance with the fan_in of the layer.
    values = module.weight[::9].detach().double()
    assert abs(float(values.square().mean()) - 2 / 45) <= 6 * 2 / 45 * (2 / values.numel()) ** 0.5


def test_icnr_fills_other_layers_with_its_base():
    module = build(lambda: nn.Sequential(nn.Conv1d(2, 4, 3), nn.Flatten(), nn.Linear(12, 3)))
    found = initialize(module, ICNR(2, base="lecun_normal"), random_state=0).to_frame().set_index("name")["initializer"]
    assert found["2.weight"] == "LeCunNormal()"
    with pytest.raises(ValueError, match="needs outputs in multiples of 3"):
        initialize(module, ICNR(3))


@pytest.mark.parametrize("scale", [2, 4])
@pytest.mark.parametrize(
    ("kind", "mode", "shape"),
    [
        (nn.ConvTranspose1d, "linear", (7,)),
        (nn.ConvTranspose2d, "bilinear", (7, 6)),
        (nn.ConvTranspose3d, "trilinear", (5, 6, 5)),
    ],
)
@pytest.mark.parametrize("groups", [1, 3])
def test_bilinear_upsampling_is_interpolation(kind, mode, shape, scale, groups):
    module = build(lambda: kind(3, 3, 2 * scale, stride=scale, padding=scale // 2, groups=groups, bias=False))
    initialize(module, BilinearUpsampling())
    X = torch.randn(2, 3, *shape, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        ours = module(X)
    theirs = nn.functional.interpolate(X, scale_factor=scale, mode=mode, align_corners=False)
    inside = (..., *[slice(scale, -scale)] * len(shape))
    assert ours.shape == theirs.shape
    torch.testing.assert_close(ours[inside], theirs[inside])


def test_bilinear_upsampling_is_for_transposed_convolutions():
    with pytest.raises(ValueError, match="needs a transposed convolution"):
        initialize(build(lambda: nn.Conv2d(3, 3, 4)), "bilinear")
    mixed = PerParameter([("up", "bilinear", nn.ConvTranspose2d)])
    module = build(lambda: nn.Sequential(nn.Conv2d(3, 4, 3), nn.ConvTranspose2d(4, 4, 4, stride=2)))
    initialize(module, mixed, random_state=0)
    assert float(module[1].weight.detach().sum()) == pytest.approx(4 * 4)
