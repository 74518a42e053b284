"""The multilayer perceptron classifier: data, parameters, initializers and callbacks."""

import copy
import pickle

import numpy as np
import pandas as pd
import pytest
import skorch
import torch
from sklearn.base import clone
from sklearn.datasets import load_digits, load_iris
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from initsk import MLPClassifier, NeuralNetClassifier
from initsk.exceptions import InvalidParameterError
from initsk.initializers import LSUV, GradInit, HeNormal, Orthogonal
from tests.estimators.support import small


def weights(clf):
    return [p.detach().clone() for p in clf.net_.module_.parameters()]


def test_equal_seeds_give_equal_models(iris):
    first, second, other = (small(random_state=s).fit(*iris) for s in (1, 1, 2))
    assert all(torch.equal(a, b) for a, b in zip(weights(first), weights(second), strict=True))
    assert not torch.equal(weights(first)[0], weights(other)[0])


def test_initialize_gives_the_weights_at_the_start_of_training(iris):
    start = weights(small().initialize(*iris))
    barely = weights(small(max_epochs=1, lr=1e-30).fit(*iris))
    # A step of Adam is about lr long: far below the resolution of the weights, seen only in biases that start at zero.
    torch.testing.assert_close(barely, start, rtol=0, atol=1e-25)


def test_batches_do_not_depend_on_the_initializer(iris):
    # A net without hidden layers and lr 0 would hide the order: compare the losses of plain gradient steps instead.
    zeros = small(hidden_layer_sizes=(), initializer="zeros", optimizer="sgd").fit(*iris)
    also_zeros = small(hidden_layer_sizes=(), initializer=torch.nn.init.zeros_, optimizer="sgd").fit(*iris)
    assert torch.equal(weights(zeros)[0], weights(also_zeros)[0])


def test_training_from_zeros_changes_only_the_output_bias(iris):
    clf = small(hidden_layer_sizes=(8, 8), initializer="zeros").fit(*iris)
    parameters = dict(clf.net_.module_.named_parameters())
    assert {name for name, p in parameters.items() if bool((p != 0).any())} == {"output.bias"}


@pytest.mark.parametrize("dtype", ["Int64", "Float32", "boolean", "int16", "float64"])
def test_any_numeric_type_of_pandas_is_accepted(iris, dtype):
    frame = pd.DataFrame((iris[0] > 0).astype(int), columns=list("abcd")).astype(dtype)
    labels = pd.Series(iris[1]).map({0: "a", 1: "b", 2: "c"}).astype("category")
    clf = small().fit(frame, labels)
    assert clf.classes_.tolist() == ["a", "b", "c"]
    plain = small().fit(frame.to_numpy(dtype=np.float32), labels)
    np.testing.assert_array_equal(clf.predict(frame), plain.predict(frame.to_numpy(dtype=np.float32)))


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16, np.int64, np.uint8, np.uint16, np.int8, bool])
def test_any_numeric_type_is_accepted(iris, dtype):
    X = (iris[0] > 0).astype(dtype)
    clf = small().fit(X, iris[1])
    assert clf.predict(X).shape == (150,)
    frame = pd.DataFrame(X, columns=list("abcd"))
    clf.fit(frame, iris[1])
    assert clf.feature_names_in_.tolist() == list("abcd")


@pytest.mark.parametrize(
    "labels",
    [np.array(["low", "mid", "high"]), np.array([10, -3, 7]), np.array(["x", 1.5, "z"], dtype=object)[[0, 2, 0]]],
    ids=["strings", "integers", "objects"],
)
def test_labels_of_any_type_are_accepted(iris, labels):
    y = labels[iris[1]]
    clf = small(lr=0.02, max_epochs=20).fit(iris[0], y)
    assert clf.classes_.tolist() == sorted(set(labels.tolist()))
    assert clf.score(iris[0], y) > 0.8
    np.testing.assert_allclose(clf.predict_proba(iris[0]).sum(axis=1), 1, rtol=1e-5)


def test_searches_take_initializers_by_name_object_and_nested_parameter(iris):
    pipe = Pipeline([("scale", StandardScaler()), ("mlp", small())])
    pipe.set_params(mlp__initializer=HeNormal(), mlp__initializer__mode="fan_out")
    assert pipe.get_params()["mlp__initializer"] == HeNormal(mode="fan_out")
    grid = [
        {"mlp__initializer": ["zeros", "he_normal", Orthogonal(gain=1.4)]},
        {"mlp__initializer": [Orthogonal()], "mlp__initializer__gain": [0.5, 2.0]},
        {"mlp__initializer": ["orthogonal"], "mlp__initializer__gain": [0.5, 2.0]},
    ]
    search = GridSearchCV(pipe, grid, cv=2, error_score="raise").fit(*iris)
    shown = pd.DataFrame(search.cv_results_)["param_mlp__initializer"].astype(str).tolist()
    assert shown[:3] == ["zeros", "he_normal", "Orthogonal(gain=1.4)"]
    scores = search.cv_results_["mean_test_score"]
    assert len(scores) == 7
    assert scores[3:5].tolist() == scores[5:].tolist()


def test_clone_and_pickle(iris):
    clf = small(initializer=HeNormal("fan_out"))
    assert clone(clf).get_params() == clf.get_params()
    clf.fit(*iris)
    again = pickle.loads(pickle.dumps(clf))
    np.testing.assert_array_equal(again.predict_proba(iris[0]), clf.predict_proba(iris[0]))


def test_all_mistakes_in_one_message(iris):
    clf = small(lr=-1, activation="rleu", initializer="he_nrmal", batch_size=0, hidden_layer_sizes=(0,))
    with pytest.raises(ValueError, match="did you mean") as caught:
        clf.fit(*iris)
    assert all(name in str(caught.value) for name in ("lr=", "activation=", "initializer=", "batch_size=", "hidden"))
    assert not hasattr(clf, "net_")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"optimizer_params": [1]}, "a dict"),
        ({"callbacks": [1]}, "skorch callbacks"),
        ({"device": "nowhere"}, "not available here"),
        ({"verbose": "loud"}, "an integer"),
        ({"activation": torch.nn.Linear}, "without arguments"),
        ({"activation": None}, "name of a torch.nn activation"),
        ({"initializer": 3.0}, "a callable that fills a tensor"),
    ],
)
def test_a_parameter_that_is_not_allowed_is_an_error(iris, arguments, words):
    with pytest.raises(InvalidParameterError, match=words):
        small(**arguments).fit(*iris)


def test_a_missing_target_is_an_error(iris):
    with pytest.raises(ValueError, match="requires y to be passed"):
        small().fit(iris[0], None)


def test_numpy_numbers_are_accepted_as_parameters(iris):
    plain = small(batch_size=16).fit(*iris)
    clf = small(batch_size=np.int64(16), max_epochs=np.int64(3), lr=np.float64(1e-3)).fit(*iris)
    assert all(torch.equal(a, b) for a, b in zip(weights(clf), weights(plain), strict=True))


def test_the_history_has_scores_on_validation_data(iris):
    clf = small().fit(*iris, X_val=iris[0], y_val=iris[1])
    assert clf.net_.history[-1]["valid_acc"] == pytest.approx(clf.score(*iris))
    with pytest.raises(ValueError, match="y_val holds labels that classes_ does not"):
        small().fit(*iris, X_val=iris[0], y_val=iris[1] + 5)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_nonfinite_input_is_an_error(iris, bad):
    X = iris[0].copy()
    X[0, 0] = bad
    with pytest.raises(ValueError, match=r"NaN|infinity"):
        small().fit(X, iris[1])


def test_callbacks_run_with_the_number_of_threads(iris):
    from skorch.callbacks import Callback

    class Threads(Callback):
        def on_epoch_end(self, net, **kwargs):
            seen.append(torch.get_num_threads())

    seen = []
    small(n_threads=1, callbacks=[Threads()]).fit(*iris)
    assert seen == [1, 1, 1]


def test_training_equals_that_of_plain_skorch_from_the_same_weights(iris):
    """The fast batches and the fused optimizer do not change the training."""
    X, y = iris[0].astype(np.float32), iris[1]
    clf = small(batch_size=150, optimizer="sgd", lr=0.1).fit(X, y)
    start = small(batch_size=150).initialize(X, y)
    with torch.random.fork_rng():
        plain = skorch.NeuralNetClassifier(
            start.net_.module_, criterion=torch.nn.CrossEntropyLoss, lr=0.1, max_epochs=3, batch_size=150,
            train_split=None, verbose=0,
        ).fit(X, y)  # fmt: skip
        expected = plain.predict_proba(X)
    np.testing.assert_allclose(clf.predict_proba(X), expected, rtol=1e-4, atol=1e-6)


def test_a_skorch_net_has_an_initializer(iris):
    X, y = iris[0].astype(np.float32), iris[1].astype(np.int64)

    def net(seed):
        return NeuralNetClassifier(
            torch.nn.Linear, module__in_features=4, module__out_features=3, initializer="orthogonal",
            criterion=torch.nn.CrossEntropyLoss, random_state=seed, max_epochs=2, verbose=0,
        )  # fmt: skip

    first, second = net(0).fit(X, y), net(0).fit(X, y)
    assert torch.equal(first.module_.weight, second.module_.weight)
    before = net(0).initialize()
    w = before.module_.weight.detach()
    torch.testing.assert_close(w @ w.T, torch.eye(3), rtol=0, atol=1e-5)
    assert before.initialization_record_.to_frame()["touched"].all()
    assert clone(first).get_params()["initializer"] == "orthogonal"
    strong = net(0).set_params(initializer__gain=2.0).initialize().module_.weight.detach()
    torch.testing.assert_close(strong, 2 * w)
    with pytest.raises(ValueError, match="nothing"):
        net(0).set_params(initializer__nothing=1)


@pytest.mark.parametrize("activation", ["relu", "tanh", "sigmoid"])
@pytest.mark.parametrize("sizes", [(), (8,), (16, 8, 4)])
def test_steps_without_autograd_equal_those_with_autograd(iris, activation, sizes):
    def fit(callbacks):
        clf = small(hidden_layer_sizes=sizes, activation=activation, optimizer="sgd", lr=0.1, callbacks=callbacks)
        return clf.fit(*iris)

    class Watched(skorch.callbacks.Callback):
        """Add hooks to the module, which require autograd."""

        def on_train_begin(self, net, **kwargs):
            net.module_.register_forward_hook(lambda *_: seen.append(1))

    seen = []
    torch.testing.assert_close(weights(fit(None)), weights(fit([Watched()])), rtol=1e-5, atol=1e-7)
    # 150 samples make 4 full batches of 32 and one of 22.
    assert len(seen) == 5 * 3


@pytest.mark.parametrize("criterion", [{"weight": torch.tensor([1.0, 9.0, 1.0])}, {"label_smoothing": 0.3}], ids=str)
def test_a_changed_criterion_applies(iris, criterion):
    def trained(hooked):
        net = small().initialize(*iris).net_
        net.set_params(**{f"criterion__{name}": value for name, value in criterion.items()})
        if hooked:
            net.module_.register_forward_hook(lambda *_: None)
        net.partial_fit(iris[0].astype(np.float32), iris[1])
        return list(net.module_.parameters())

    torch.testing.assert_close(trained(False), trained(True), rtol=0, atol=0)


def test_an_optimizer_with_a_closure_trains(iris):
    clf = small(optimizer=torch.optim.LBFGS, lr=1.0, batch_size=150, max_epochs=10).fit(*iris)
    assert clf.score(*iris) > 0.95
    assert clf.net_.history[-1]["train_loss"] < 0.1


def test_callbacks_get_gradients(iris):
    class Norms(skorch.callbacks.Callback):
        def on_grad_computed(self, net, named_parameters, **kwargs):
            seen.append({name: float(p.grad.norm()) for name, p in named_parameters})

    seen = []
    small(callbacks=[Norms()], max_epochs=1).fit(*iris)
    assert len(seen) == 5
    assert all(value > 0 for value in seen[0].values())


def pre_activations(module, X):
    """Return the outputs of the linear layers."""
    found = []
    x = torch.as_tensor(X, dtype=torch.float32)
    with torch.no_grad():
        for layer in module.children():
            x = layer(x)
            if isinstance(layer, torch.nn.Linear):
                found.append(x)
    return found


class Remember(skorch.callbacks.Callback):
    """Keep the weights before the first step."""

    def on_train_begin(self, net, **kwargs):
        self.first_ = copy.deepcopy(net.module_)


def test_an_initializer_that_needs_data_gets_a_batch():
    X, y = load_digits(return_X_y=True)
    X = X / 16
    remember = Remember()
    initializer = LSUV(tol=0.001)
    clf = MLPClassifier((64, 32), initializer=initializer, max_epochs=1, random_state=0, callbacks=[remember]).fit(X, y)
    assert "LSUV" in clf.initialization_record_.to_frame()["why"].iloc[0]
    # The batch had 512 of the 1797 samples, so the standard deviation on all samples differs by a few per cent.
    for output in pre_activations(remember.first_, X):
        assert float(output.std(correction=0)) == pytest.approx(1, abs=0.1)
    again = MLPClassifier((64, 32), initializer=initializer, max_epochs=1, random_state=0).fit(X, y)
    np.testing.assert_array_equal(clf.predict_proba(X), again.predict_proba(X))


def test_grid_search_over_initializers_of_all_kinds():
    X, y = load_digits(return_X_y=True)
    grid = {
        "initializer": ["lsuv", "auto", "keras.he_uniform", GradInit(n_steps=2)],
        "output_initializer": [None, "zeros"],
    }
    clf = MLPClassifier((32,), lr=0.01, max_epochs=5, random_state=0)
    search = GridSearchCV(clf, grid, cv=2, error_score="raise").fit(X / 16, y)
    assert (search.cv_results_["mean_test_score"] > 0.8).all()


def test_an_initializer_of_a_net_that_needs_data_gets_a_batch():
    X, y = load_digits(return_X_y=True)
    X = (X / 16).astype(np.float32)
    net = NeuralNetClassifier(
        torch.nn.Linear, module__in_features=64, module__out_features=10, initializer="lsuv", random_state=0, verbose=0
    )
    with pytest.raises(ValueError, match="LSUV needs a batch"):
        net.initialize()
    net.set_params(max_epochs=1, criterion=torch.nn.CrossEntropyLoss)
    assert "LSUV" in net.fit(X, y).initialization_record_.to_frame()["why"].iloc[0]
    assert net.partial_fit(X, y).predict(X).shape == y.shape


@pytest.mark.parametrize("class_weight", [None, "balanced"])
@pytest.mark.parametrize(
    ("weight", "words"),
    [
        ([2.0], r"the shape \(1,\) \(allowed: one number per sample, 150"),
        (np.ones((150, 1)), r"the shape \(150, 1\)"),
        (np.ones(149), r"the shape \(149,\)"),
        (-np.ones(150), "negative"),
        ([float("nan"), *np.ones(149)], "NaN"),
        (["heavy"] * 150, "heavy"),
        (np.zeros(150), "zero"),
    ],
)
def test_invalid_sample_weights_are_an_error(weight, words, class_weight):
    X, y = load_iris(return_X_y=True)
    with pytest.raises(ValueError, match=words):
        MLPClassifier((3,), max_epochs=1, class_weight=class_weight).fit(X, y, sample_weight=weight)


@pytest.mark.parametrize("class_weight", [None, "balanced"])
def test_a_single_number_is_the_weight_of_all_samples(class_weight):
    X, y = load_iris(return_X_y=True)
    one, many = (
        MLPClassifier((3,), max_epochs=1, class_weight=class_weight, random_state=0).fit(X, y, sample_weight=weight)
        for weight in (2.0, np.full(150, 2.0))
    )
    np.testing.assert_array_equal(one.predict_proba(X), many.predict_proba(X))
