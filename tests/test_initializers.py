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
    GlorotNormal,
    HeNormal,
    LeCunNormal,
    Orthogonal,
    RandomNormal,
    TorchDefault,
    VarianceScaling,
    Zeros,
    initializer_name,
)

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
EVERY = [item for item, _ in VARIANCES]


@pytest.mark.parametrize(("initializer", "variance"), VARIANCES, ids=str)
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
    ids=str,
)
def test_same_law_as_torch(ours, torchs):
    # Kolmogorov-Smirnov at a false-alarm rate of 1e-4, with fixed seeds.
    with torch.random.fork_rng():
        torch.manual_seed(1)
        theirs = torchs(torch.empty(SHAPE)).flatten().numpy()
    mine = ours.sample(SHAPE, random_state=0).flatten().numpy()
    assert stats.ks_2samp(mine, theirs).pvalue > 1e-4


@pytest.mark.parametrize("initializer", EVERY, ids=str)
def test_is_a_value(initializer):
    assert clone(initializer) == initializer == pickle.loads(pickle.dumps(initializer))
    assert hash(clone(initializer)) == hash(initializer)
    namespace = {type(initializer).__name__: type(initializer)}
    assert eval(repr(initializer), namespace) == initializer
    assert initializer != 3
    assert type(initializer)(**initializer.get_params()) == initializer


@pytest.mark.parametrize("initializer", EVERY, ids=str)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_same_seed_same_tensor(initializer, dtype):
    first = initializer.sample((6, 4), random_state=3, dtype=dtype)
    assert first.dtype == dtype
    assert first.shape == (6, 4)
    assert torch.equal(first, initializer.sample((6, 4), random_state=3, dtype=dtype))
    if initializer != Zeros():
        assert not torch.equal(first, initializer.sample((6, 4), random_state=4, dtype=dtype))


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
    ids=str,
)
def test_wrong_initializers_are_named(wrong, words):
    with pytest.raises(ValueError, match=words):
        get_initializer(wrong)


def test_all_mistakes_in_one_message():
    with pytest.raises(ValueError, match=r"scale=-1.*mode='x'.*distribution='y'"):
        VarianceScaling(-1, "x", "y").sample((2, 2))


@pytest.mark.parametrize("initializer", [HeNormal(), Orthogonal()], ids=str)
def test_vector_has_no_fans(initializer):
    with pytest.raises(ValueError, match=r"\(3,\)"):
        initializer.sample((3,))


def test_list_initializers():
    frame = list_initializers()
    assert list(frame.columns) == ["name", "synonyms", "family", "law", "needs_data", "needs_gradient", "reference"]
    for row in frame.itertuples():
        assert initializer_name(row.name) == row.name
        for synonym in filter(None, row.synonyms.split(", ")):
            assert get_initializer(synonym) == get_initializer(row.name)


def test_numbers_of_numpy_are_shown_as_numbers():
    shown = [repr(RandomNormal(std=std)) for std in np.logspace(-2, -1, 2)]
    assert shown == ["RandomNormal()", "RandomNormal(std=0.1)"]


def test_labels_of_functions_hold_no_address():
    assert initializer_name(torch.nn.init.ones_) == "ones_"
    assert initializer_name(partial(torch.nn.init.normal_, std=0.1)) == "normal_(std=0.1)"
    assert repr(get_initializer(torch.nn.init.ones_)) == "FromCallable(ones_)"


@pytest.mark.parametrize("shape", [5, (2, 2.5), (-1, 2), None], ids=str)
def test_shapes_are_tuples_of_integers(shape):
    with pytest.raises(ValueError, match="a tuple of integers"):
        HeNormal().sample(shape)
