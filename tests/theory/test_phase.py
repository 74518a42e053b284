"""The phase diagram of mean field theory."""

import numpy as np
import pytest

from initsk.exceptions import InvalidParameterError
from initsk.theory import MeanField, critical_point, phase_diagram


@pytest.fixture(scope="module")
def tanh():
    return phase_diagram("tanh", cells=24)


def test_the_plane_has_the_values_of_mean_field_theory(tanh):
    for row, column in ((2, 3), (10, 8), (20, 14), (5, 20), (23, 23)):
        field = MeanField("tanh", tanh.weight_variances[column], tanh.bias_variances[row])
        assert tanh.chi_1[row, column] == pytest.approx(field.chi_1, rel=0.01)
        if abs(field.chi_1 - 1) > 0.05:
            assert tanh.xi_c[row, column] == pytest.approx(field.depth_scales().xi_c, rel=0.05)


def test_order_and_chaos_meet_on_the_critical_line(tanh):
    for row in (4, 12, 20):
        critical = critical_point("tanh", float(tanh.bias_variances[row])).weight_variance
        # Interpolation is good to a tenth of a percent there.
        away = np.abs(tanh.weight_variances / critical - 1) > 0.01
        assert ((tanh.chi_1[row] > 1) == (tanh.weight_variances > critical))[away].all()


def test_unstable_lengths_have_no_values():
    plane = phase_diagram("relu", cells=16)
    assert np.isnan(plane.chi_1[1:, plane.weight_variances > 2.05]).all()
    below = plane.weight_variances < 1.9
    np.testing.assert_allclose(plane.chi_1[1:, below], np.tile(plane.weight_variances[below] / 2, (15, 1)), rtol=1e-6)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: phase_diagram("rely"), "did you mean 'relu'"),
        (lambda: phase_diagram("tanh", cells=1, max_bias=0), "max_bias=0 is not allowed.*cells=1 is not allowed"),
    ],
)
def test_wrong_use(call, words):
    with pytest.raises(InvalidParameterError, match=words):
        call()
