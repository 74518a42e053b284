"""Activations as features: values, names, chosen layers, and use in scikit-learn."""

import pickle

import numpy as np
import pytest
import skorch
import torch
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_iris
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

from initsk import ActivationInspector, MLPClassifier, NeuralNetClassifier, inspect_activations
from initsk.exceptions import InvalidParameterError, ModuleError
from tests.helpers import batch, build, hooks_of


class Convolutional(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(1, 3, 3), nn.ReLU())
        self.head = nn.Linear(3 * 36, 2)

    def forward(self, X):
        return self.head(self.body(X).flatten(1))


class Mixed(nn.Module):
    """A layer whose values are of all samples together, and a layer with values for each sample."""

    def __init__(self):
        super().__init__()
        self.together = nn.Linear(4, 5)
        self.own = nn.Linear(4, 3)

    def forward(self, X):
        return self.own(X) + self.together(X.mean(0)).sum()


class Sequences(nn.Module):
    """A module with samples as the first axis; its recurrent layer may have time as the first axis."""

    def __init__(self, batch_first):
        super().__init__()
        self.lstm = nn.LSTM(2, 3, num_layers=2, batch_first=batch_first)

    def forward(self, X):
        if self.lstm.batch_first:
            return self.lstm(X)
        values, states = self.lstm(X.transpose(0, 1))
        return values.transpose(0, 1), states


@pytest.fixture(scope="module")
def iris():
    X, y = load_iris(return_X_y=True)
    return StandardScaler().fit_transform(X).astype(np.float32), y


@pytest.fixture(scope="module")
def mlp(iris):
    return MLPClassifier((20, 6), "tanh", max_epochs=2, random_state=0).fit(*iris)


def images(n=30):
    return batch(n, 1, 8, 8).numpy(), np.arange(n) % 2


def by_hand(fitted, X, depth):
    """Return the output of the first `depth` hidden layers of a fitted tanh network, computed with numpy."""
    values = X.astype(np.float64)
    for i in range(1, depth + 1):
        layer = getattr(fitted.net_.module_, f"hidden_{i}")
        values = np.tanh(values @ layer.weight.detach().double().numpy().T + layer.bias.detach().double().numpy())
    return values


def take(mlp, layers, X, **arguments):
    inspector = ActivationInspector(mlp, layers, prefit=True, **arguments).fit(X)
    return inspector, inspector.transform(X)


def test_features_are_what_the_layers_compute(iris, mlp):
    X, _ = iris
    inspector, features = take(mlp, None, X)
    assert features.dtype == np.float32
    assert inspector.get_feature_names_out()[[0, 17, 20]].tolist() == ["hidden_1_0", "hidden_1_17", "hidden_2_0"]
    np.testing.assert_allclose(features[:, :20], by_hand(mlp, X, 1), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(features[:, 20:], by_hand(mlp, X, 2), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("layers", "names"),
    [
        ("hidden_2", ["hidden_2"]),
        ("hidden_*", ["hidden_1", "hidden_2"]),
        (nn.Linear, ["hidden_1", "hidden_2", "output"]),
        (nn.Tanh, ["hidden_1", "hidden_2"]),
        (-1, ["output"]),
        (0, ["hidden_1"]),
        (lambda name, part: isinstance(part, nn.Linear) and part.out_features < 10, ["hidden_2", "output"]),
        (["output", "hidden_1"], ["output", "hidden_1"]),
        ([-1, "hidden_*"], ["output", "hidden_1", "hidden_2"]),
        (["hidden_2", nn.Linear], ["hidden_2", "hidden_1", "output"]),
    ],
)
def test_features_are_in_the_order_of_the_chosen_layers(iris, mlp, layers, names):
    X, _ = iris
    inspector, features = take(mlp, layers, X)
    assert inspector.layers_ == names
    single = [take(mlp, name, X)[1] for name in names]
    np.testing.assert_array_equal(features, np.hstack(single))


def test_containers_are_taken_by_name():
    X, _ = images()
    net = build(Convolutional)
    whole, conv = (take(net, name, X)[1] for name in ("body", "body.0"))
    assert whole.shape == (30, 108)
    np.testing.assert_array_equal(whole, conv)
    np.testing.assert_array_equal(whole, net.body(torch.tensor(X)).flatten(1).detach())


@pytest.mark.parametrize(
    ("layers", "nearest"), [("hiden_2", "hidden_2"), (["hidden_1", "outptu"], "output"), (nn.ReLU6, "ReLU")]
)
def test_the_error_for_an_unknown_layer_suggests_the_nearest_name(iris, layers, nearest):
    estimator = MLPClassifier((20, 6), max_epochs=1, random_state=0)
    with pytest.raises(InvalidParameterError, match=f"did you mean '{nearest}'"):
        ActivationInspector(estimator, layers).fit(*iris)


@pytest.mark.parametrize("batch_size", [1, 7, 149, 150, 10**6])
def test_the_batch_size_changes_nothing(iris, mlp, batch_size):
    X, _ = iris
    features = take(mlp, None, X, batch_size=batch_size)[1]
    np.testing.assert_allclose(features, take(mlp, None, X)[1], rtol=1e-5, atol=1e-6)


def test_initialized_is_the_untrained_clone_of_the_same_seed(iris):
    X, y = iris
    estimator = MLPClassifier((20, 6), random_state=3)
    features = ActivationInspector(estimator, when="initialized").fit_transform(X, y)
    untrained = clone(estimator).initialize(X, y)
    np.testing.assert_array_equal(features, take(untrained, None, X)[1])
    assert not hasattr(estimator, "net_")


def test_the_seed_of_the_inspector_reaches_the_clone(iris):
    def features(seed, own):
        estimator = MLPClassifier((5,), random_state=own)
        return ActivationInspector(estimator, when="initialized", random_state=seed).fit_transform(*iris)

    np.testing.assert_array_equal(features(1, None), features(1, 7))
    assert (features(1, 7) != features(2, 7)).any()


def test_prefit_takes_pipelines_and_searches(iris):
    X, y = iris
    steps = [("scale", StandardScaler(with_std=False)), ("mlp", MLPClassifier((4,), max_epochs=1, random_state=0))]
    pipe = Pipeline(steps).fit(X + 5, y)
    search = GridSearchCV(Pipeline(steps), {"mlp__lr": [0.01]}, cv=2).fit(X + 5, y)
    for fitted in (pipe, search):
        best = getattr(fitted, "best_estimator_", fitted)
        given = best[:-1].transform(X + 5)
        np.testing.assert_array_equal(take(fitted, None, X + 5)[1], take(best[-1], None, given)[1])


def test_a_convolutional_net_is_an_estimator():
    X, y = images()
    net = NeuralNetClassifier(Convolutional, criterion=nn.CrossEntropyLoss, max_epochs=1, random_state=0, verbose=0)
    inspector = ActivationInspector(net, ["body.0"]).fit(X, y)
    features = inspector.transform(X)
    with torch.no_grad():
        expected = inspector.estimator_.module_.body(torch.tensor(X)).flatten(1)
    np.testing.assert_allclose(features, expected, rtol=1e-5, atol=1e-6)
    assert inspector.get_feature_names_out()[-1] == "body.0_107"


@pytest.mark.parametrize("when", ["fitted", "initialized"])
def test_a_net_of_skorch_is_an_estimator(when):
    X, y = images()
    net = skorch.NeuralNetClassifier(Convolutional, criterion=nn.CrossEntropyLoss, max_epochs=1, verbose=0)
    # skorch draws from torch's global generator.
    inspector = build(lambda: ActivationInspector(net, -1, when=when).fit(X, y))
    with torch.no_grad():
        expected = inspector.estimator_.module_(torch.tensor(X))
    np.testing.assert_allclose(inspector.transform(X), expected, rtol=1e-5, atol=1e-6)
    assert not hasattr(net, "module_")


@pytest.mark.parametrize("batch_size", [1, 3, 4, 1024])
@pytest.mark.parametrize("batch_first", [True, False])
def test_features_of_sequences_keep_the_sample_in_the_row(batch_first, batch_size):
    net = build(lambda: Sequences(batch_first))
    X = batch(7, 3, 2).numpy()
    with torch.no_grad():
        values, states = net(torch.tensor(X))
    for layer, expected in ((0, values.flatten(1)), ("lstm/h_n", states[0].movedim(1, 0).flatten(1))):
        features = take(net, layer, X, batch_size=batch_size)[1]
        np.testing.assert_allclose(features, expected, rtol=1e-5, atol=1e-6)


def test_each_layer_can_be_chosen_by_its_name():
    net = build(lambda: Sequences(True))
    X = batch(7, 3, 2).numpy()
    names = inspect_activations(net, X).layers
    assert names == ["lstm", "lstm/h_n", "lstm/c_n"]
    assert [take(net, name, X)[0].layers_ for name in names] == [[name] for name in names]


def test_a_module_with_time_as_the_first_axis_is_an_error():
    # The rows of X are samples for scikit-learn, but steps of time for this module.
    lstm = build(lambda: nn.LSTM(2, 3))
    with pytest.raises(ModuleError):
        take(lstm, 0, batch(5, 4, 2).numpy())


def test_a_transformer_is_taken_prefit():
    layer = build(lambda: nn.TransformerEncoderLayer(8, 2, 16, dropout=0.1, batch_first=True))
    X = batch(5, 3, 8).numpy()
    features = take(layer, "norm2", X)[1]
    layer.eval()
    with torch.no_grad():
        np.testing.assert_allclose(features, layer(torch.tensor(X)).flatten(1), rtol=1e-4, atol=1e-5)


def test_layers_without_values_for_each_sample_are_an_error():
    X = batch(6, 4).numpy()
    with pytest.raises(
        ModuleError, match=r"together gives values of shape \(5,\) for \d samples: they cannot be features"
    ):
        take(build(Mixed), "together", X)
    assert take(build(Mixed), "own", X)[1].shape == (6, 3)


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_output_can_be_a_frame(iris, mlp, library):
    frames = pytest.importorskip(library)
    X, _ = iris
    inspector = ActivationInspector(mlp, "hidden_2", prefit=True).set_output(transform=library)
    frame = inspector.fit(X).transform(X)
    assert isinstance(frame, frames.DataFrame)
    assert list(frame.columns) == [f"hidden_2_{i}" for i in range(6)]
    np.testing.assert_array_equal(frame.to_numpy(), take(mlp, "hidden_2", X)[1])


def test_inspectors_work_in_unions_and_column_transformers(iris, mlp):
    X, y = iris
    inspector = ActivationInspector(MLPClassifier((4, 3), max_epochs=1, random_state=0), "hidden_2")
    alone = inspector.fit_transform(X, y)
    union = FeatureUnion([("a", clone(inspector)), ("b", clone(inspector).set_params(layers=-1))]).fit(X, y)
    assert union.get_feature_names_out()[[0, 5]].tolist() == ["a__hidden_2_0", "b__output_2"]
    np.testing.assert_array_equal(union.transform(X)[:, :3], alone)
    columns = ColumnTransformer([("deep", clone(inspector), [0, 2]), ("rest", "passthrough", [1])]).fit(X, y)
    assert columns.get_feature_names_out()[:3].tolist() == [f"deep__hidden_2_{i}" for i in range(3)]
    pair = clone(inspector).fit_transform(X[:, [0, 2]], y)
    np.testing.assert_array_equal(columns.transform(X), np.column_stack([pair, X[:, 1]]))


def test_layers_are_a_hyperparameter(iris):
    pipe = make_pipeline(ActivationInspector(MLPClassifier((4, 3), max_epochs=1, random_state=0)), LogisticRegression())
    grid = {"activationinspector__layers": ["hidden_1", ["hidden_1", "hidden_2"], -1]}
    search = GridSearchCV(pipe, grid, cv=2, error_score="raise").fit(*iris)
    # Each value of the grid gives the features of its layers.
    assert len(search.cv_results_["mean_test_score"]) == 3
    widths = [
        len(clone(pipe).set_params(**p).fit(*iris)[0].get_feature_names_out()) for p in search.cv_results_["params"]
    ]
    assert widths == [4, 7, 3]


def test_clone_pickle_and_repr(iris):
    X, y = iris
    inspector = ActivationInspector(MLPClassifier((4,), max_epochs=1, random_state=0), "hidden_1", batch_size=9)
    fitted = clone(inspector).fit(X, y)
    assert repr(clone(fitted)) == repr(inspector)
    assert "hidden_1" in repr(inspector)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(fitted)).transform(X), fitted.transform(X))


def test_the_module_stays_as_it_was():
    net = build(lambda: nn.Sequential(nn.Linear(4, 5), nn.BatchNorm1d(5), nn.Dropout(0.5), nn.Linear(5, 2)))
    net[1].eval()
    net[0].requires_grad_(False)
    X = batch(9, 4).numpy()
    state = {name: value.clone() for name, value in net.state_dict().items()}
    first, second = (take(net, None, X)[1] for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert [part.training for part in net] == [True, False, True, True]
    assert [p.requires_grad for p in net.parameters()] == [False, False, True, True, True, True]
    assert all(torch.equal(value, state[name]) for name, value in net.state_dict().items())
    assert all(p.grad is None for p in net.parameters())
    assert not hooks_of(net)


@pytest.mark.parametrize(
    ("parameters", "words"),
    [({"when": "fited"}, "'fitted'"), ({"prefit": 1}, "prefit"), ({"batch_size": 0}, "batch_size"),
     ({"when": "no", "batch_size": -1}, "when.*batch_size|batch_size.*when")],
)  # fmt: skip
def test_invalid_parameters_are_reported_together(iris, parameters, words):
    with pytest.raises(InvalidParameterError, match=words):
        ActivationInspector(MLPClassifier(), **parameters).fit(*iris)


@pytest.mark.parametrize("when", ["fitted", "initialized"])
def test_transformer_in_a_pipeline(when):
    X, y = load_iris(return_X_y=True, as_frame=True)
    inspector = ActivationInspector(MLPClassifier((6, 3), max_epochs=2, random_state=0), ["hidden_2"], when=when)
    pipe = make_pipeline(inspector.set_output(transform="pandas"), LogisticRegression()).fit(X, y)
    features = pipe[:-1].transform(X)
    assert features.columns.tolist() == ["hidden_2_0", "hidden_2_1", "hidden_2_2"]
    assert set(features.dtypes) == {np.dtype("float32")}
    module = pipe[0].estimator_.net_.module_
    with torch.no_grad():
        expected = torch.nn.Sequential(*list(module.children())[:4])(torch.tensor(X.to_numpy(np.float32)))
    np.testing.assert_allclose(features, expected, rtol=1e-5, atol=1e-6)


def test_transformer_prefit_and_unknown_layer():
    X, y = load_iris(return_X_y=True)
    clf = MLPClassifier((6, 3), max_epochs=2, random_state=0).fit(X, y)
    inspector = ActivationInspector(clf, prefit=True).fit(X)
    assert inspector.layers_ == ["hidden_1", "hidden_2"]
    assert inspector.estimator_ is clf
    with pytest.raises(ValueError, match="did you mean 'hidden_2'"):
        ActivationInspector(clf, layers="hiden_2", prefit=True).fit(X)


@pytest.mark.parametrize(
    ("layers", "words"),
    [
        ([], "at least one layer"),
        (1.5, "a name, a pattern"),
        ({"hidden_1"}, "a name, a pattern"),
        ([["hidden_1"]], "a name, a pattern"),
        (3, "from -3 to 2"),
        (["hidden_1", "hidden_1"], "each layer once"),
    ],
)
def test_transformer_takes_layers_each_once(layers, words):
    X, y = load_iris(return_X_y=True)
    with pytest.raises(InvalidParameterError, match=words):
        ActivationInspector(MLPClassifier((6, 3), max_epochs=1, random_state=0), layers).fit(X, y)


def test_prefit_takes_a_bare_module():
    net = torch.nn.Sequential(torch.nn.Identity(), torch.nn.ReLU())
    features = ActivationInspector(net, layers="1", prefit=True).fit_transform([[-1.0, 2.0]])
    assert features.tolist() == [[0.0, 2.0]]


def test_prefit_needs_a_fitted_estimator():
    with pytest.raises(NotFittedError, match="MLPClassifier"):
        ActivationInspector(MLPClassifier(), prefit=True).fit([[1.0]])
