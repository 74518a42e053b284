import gc
import pickle
from functools import partial
from math import sqrt

import numpy as np
import pytest
import torch
from scipy import stats
from sklearn.base import clone

from initsk import get_initializer, list_initializers
from initsk.initializers import (
    LSUV,
    DepthScaledResidual,
    GlorotNormal,
    HeNormal,
    Initializer,
    LeCunNormal,
    Orthogonal,
    PerParameter,
    RandomNormal,
    Scaled,
    TorchDefault,
    TruncatedNormal,
    VarianceScaling,
    ZerO,
    Zeros,
    initializer_name,
)
from initsk.network import ParameterSpec
from tests.helpers import label

SHAPE = (300, 400)
N = SHAPE[0] * SHAPE[1]
# initializer, promised variance of its values for SHAPE (fan_in 400, fan_out 300)
VARIANCES = [
    (Zeros(), 0.0),
    (RandomNormal(), 1e-4),
    (RandomNormal(std=0.5), 0.25),
    (GlorotNormal(), 1 / 350),
    (HeNormal(), 2 / 400),
    (HeNormal(mode="fan_out"), 2 / 300),
    (LeCunNormal(), 1 / 400),
    (Orthogonal(), 1 / 400),
    (Orthogonal(gain=1.4), 1.96 / 400),
    (VarianceScaling(3.0, "fan_geo_avg", "uniform"), 3 / sqrt(120000)),
    (TorchDefault(), 1 / 1200),
]


@pytest.mark.parametrize(("initializer", "variance"), VARIANCES, ids=label)
def test_variance_is_as_promised(initializer, variance):
    # Six standard errors of a normal's variance; a uniform's and an orthogonal's are smaller: false alarms < 1e-8.
    values = initializer.sample(SHAPE, random_state=0).double()
    assert abs(float(values.pow(2).mean()) - variance) <= 6 * variance * sqrt(2 / N)
    assert abs(float(values.mean())) <= 6 * sqrt(variance / N)


@pytest.mark.parametrize(
    ("ours", "torchs"),
    [
        (GlorotNormal(), torch.nn.init.xavier_normal_),
        (HeNormal(), lambda t: torch.nn.init.kaiming_normal_(t, nonlinearity="relu")),
        (LeCunNormal(), lambda t: torch.nn.init.kaiming_normal_(t, nonlinearity="linear")),
        (TorchDefault(), lambda t: torch.nn.init.kaiming_uniform_(t, a=sqrt(5))),
    ],
    ids=label,
)
def test_same_law_as_torch(ours, torchs):
    # Kolmogorov-Smirnov at a false-alarm rate of 1e-4, with fixed seeds.
    with torch.random.fork_rng():
        torch.manual_seed(1)
        theirs = torchs(torch.empty(SHAPE)).flatten().numpy()
    mine = ours.sample(SHAPE, random_state=0).flatten().numpy()
    assert stats.ks_2samp(mine, theirs).pvalue > 1e-4


def test_family_differs_in_scale_only():
    he, lecun = (i.sample((50, 40), random_state=0) for i in (HeNormal(), LeCunNormal()))
    torch.testing.assert_close(he, lecun * sqrt(2))


@pytest.mark.parametrize("shape", [(5, 5), (8, 3), (3, 8), (4, 2, 3, 3)])
def test_orthogonal_has_equal_singular_values(shape):
    w = Orthogonal(gain=1.5).sample(shape, random_state=0).reshape(shape[0], -1)
    singular = torch.linalg.svdvals(w)
    torch.testing.assert_close(singular, torch.full_like(singular, 1.5), rtol=1e-5, atol=0)


def test_orthogonal_is_haar():
    # The eigenvalues' angles of a Haar matrix are spread evenly; a QR without the signs fails this clearly.
    traces = [float(Orthogonal().sample((10, 10), random_state=s).trace()) for s in range(400)]
    # Mean 0 and variance 1; five standard errors, false alarms about 1e-6.
    assert abs(np.mean(traces)) < 5 / sqrt(400)
    assert abs(np.var(traces) - 1) < 5 * sqrt(2 / 400)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("kaiming_normal", HeNormal()),
        ("he", HeNormal()),
        ("Xavier Normal", GlorotNormal()),
        ("glorot-normal", GlorotNormal()),
        ("zero", Zeros()),
        ("KaimingNormal", HeNormal()),
        ("kaiming_normal_", HeNormal()),
        ("henormal", HeNormal()),
        ("ZerO", ZerO()),
        ("zer_o", ZerO()),
        (HeNormal, HeNormal()),
        (Orthogonal(gain=2.0), Orthogonal(gain=2.0)),
    ],
)
def test_names_synonyms_and_objects(name, expected):
    assert get_initializer(name) == expected


def test_callable():
    ones = get_initializer(torch.nn.init.ones_)
    assert ones.sample((2, 2), random_state=0).tolist() == [[1, 1], [1, 1]]
    noisy = get_initializer(torch.nn.init.normal_)
    assert torch.equal(noisy.sample((3, 3), random_state=1), noisy.sample((3, 3), random_state=1))


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ("he_nrmal", "did you mean 'he_normal'"),
        (3, "a name, an Initializer, or a callable"),
        (RandomNormal(std=-1), "std=-1 is not allowed"),
        (HeNormal(mode="fan_inn"), "did you mean 'fan_in'"),
        (Orthogonal(gain=0), "a finite number > 0"),
    ],
    ids=label,
)
def test_wrong_initializers_are_named(wrong, words):
    with pytest.raises(ValueError, match=words):
        get_initializer(wrong)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: HeNormal().sample((2, 2), dtype="float32"), "dtype='float32' is not allowed"),
        (lambda: HeNormal().sample((2, 2), dtype=torch.int64), "dtype=torch.int64 is not allowed"),
        (lambda: HeNormal().sample((2, 2), generator=0), "generator=0 is not allowed"),
        (lambda: HeNormal().sample((2, 2), random_state=0, generator=torch.Generator()), "not allowed together"),
        (lambda: Initializer.from_json("{"), "not JSON"),
        (lambda: Initializer.from_json("[1]"), "holds no initializer"),
        (lambda: Initializer.from_json('{"initializer": "HeNormal", "parameters": {"x": 1}}'), "cannot be made of"),
        (lambda: Initializer.from_json('{"initializer": "HeNormal", "parameters": {"mode": "x"}}'), "mode='x'"),
        (lambda: Initializer.from_json('{"torch.nn": "Nothing"}'), "torch.nn has no class 'Nothing'"),
    ],
)
def test_wrong_calls(call, words):
    with pytest.raises(ValueError, match=words):
        call()


def test_all_mistakes_in_one_message():
    with pytest.raises(ValueError, match=r"scale=-1.*mode='x'.*distribution='y'"):
        VarianceScaling(-1, "x", "y").sample((2, 2))


@pytest.mark.parametrize("initializer", [HeNormal(), Orthogonal()], ids=label)
def test_vector_has_no_fans(initializer):
    with pytest.raises(ValueError, match=r"\(3,\)"):
        initializer.sample((3,))


def test_list_initializers():
    frame = list_initializers()
    assert list(frame.columns) == ["name", "synonyms", "family", "formula", "needs_data", "needs_gradient", "reference"]
    for row in frame.itertuples():
        assert initializer_name(row.name) == row.name
        for synonym in filter(None, row.synonyms.split(", ")):
            assert get_initializer(synonym) == get_initializer(row.name)


def test_numbers_of_numpy_are_shown_as_numbers():
    shown = [repr(RandomNormal(std=std)) for std in np.logspace(-2, -1, 2)]
    assert shown == ["RandomNormal()", "RandomNormal(std=0.1)"]


def test_a_name_of_a_framework_is_a_new_object_each_time():
    get_initializer("keras.he_normal").set_params(base__scale=5.0)
    assert get_initializer("keras.he_normal").base.scale == 2.0


def test_clones_share_nothing():
    original = LSUV(RandomNormal(0.1))
    clone(original).set_params(base__std=0.7)
    assert original.base.std == 0.1


@pytest.mark.parametrize(
    ("initializer", "nested", "expected"),
    [
        (LSUV(), {"base__gain": 2.0}, LSUV(Orthogonal(2.0))),
        (Scaled("he_normal"), {"base__mode": "fan_out", "factor": 0.5}, Scaled(HeNormal("fan_out"), 0.5)),
        (DepthScaledResidual(), {"base__std": 0.1}, DepthScaledResidual(RandomNormal(0.1))),
        (PerParameter(), {"remainder__mode": "fan_out"}, PerParameter(remainder=HeNormal("fan_out"))),
    ],
)
def test_nested_parameters_of_what_is_named(initializer, nested, expected):
    assert clone(initializer).set_params(**nested) == expected


def test_functions_and_modules_are_equal_by_content():
    sparse = partial(torch.nn.init.sparse_, sparsity=0.1)
    assert get_initializer(sparse) == get_initializer(partial(torch.nn.init.sparse_, sparsity=0.1))
    assert get_initializer(sparse) != get_initializer(partial(torch.nn.init.sparse_, sparsity=0.2))
    leaky = VarianceScaling(activation=torch.nn.LeakyReLU(0.2))
    assert pickle.loads(pickle.dumps(leaky)) == leaky == VarianceScaling(activation=torch.nn.LeakyReLU(0.2))
    assert leaky != VarianceScaling(activation=torch.nn.LeakyReLU(0.1))
    assert hash(PerParameter([("a", RandomNormal(1), "x")])) == hash(PerParameter([("a", RandomNormal(1.0), "x")]))


def test_one_tensor_in_place():
    parameter = torch.nn.Parameter(torch.zeros(30, 20))
    assert HeNormal().fill_(parameter, random_state=3) is parameter
    assert torch.equal(parameter, HeNormal().sample((30, 20), random_state=3))
    assert parameter.requires_grad


@pytest.mark.parametrize("bounds", [1e-12, 1e-6, 1e-3, 0.0099, 0.0101])
def test_truncation_near_the_mean_is_nearly_uniform(bounds):
    # E[z^2] for |z| <= b by a series: b^2 / 3 (1 - 2 b^2 / 15 + ...)
    promised = (
        TruncatedNormal(1.0, bounds=bounds, corrected=False).expected_moments(ParameterSpec.from_shape((2, 2))).variance
    )
    assert promised == pytest.approx(bounds**2 / 3 * (1 - 2 * bounds**2 / 15), rel=1e-8)
    values = TruncatedNormal(1.0, bounds=bounds).sample(SHAPE, random_state=0, dtype=torch.float64)
    assert abs(float(values.pow(2).mean()) - 1) <= 6 * sqrt(2 / N)


def test_somebodys_class_with_arguments_is_listed():
    class NeedsSize(Initializer):
        name = "needs_size_of_the_test"

        def __init__(self, size):
            self.size = size

    assert "needs_size_of_the_test" in set(list_initializers()["name"])
    del NeedsSize
    gc.collect()


def test_labels_of_functions_hold_no_address():
    assert initializer_name(torch.nn.init.ones_) == "ones_"
    assert initializer_name(partial(torch.nn.init.normal_, std=0.1)) == "normal_(std=0.1)"
    assert repr(get_initializer(torch.nn.init.ones_)) == "FromCallable(ones_)"


@pytest.mark.parametrize("shape", [5, (2, 2.5), (-1, 2), None], ids=label)
def test_shapes_are_tuples_of_integers(shape):
    with pytest.raises(ValueError, match="a tuple of integers"):
        HeNormal().sample(shape)
