import joblib
import numpy as np
import pytest
from scipy import stats
from scipy.special import expit, logit
from sklearn.datasets import load_digits, load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from initsk import ComparisonResult, MLPClassifier, compare_initializers
from initsk.comparison import ComparisonInterrupted
from initsk.comparison.results import TABLES
from initsk.displays import ActivationGridDisplay, LearningCurvesDisplay
from initsk.exceptions import InvalidParameterError
from initsk.initializers import VarianceScaling

NESTED = Pipeline([("scaler", StandardScaler()), ("net", MLPClassifier())])


def explode(tensor):
    raise RuntimeError("cannot draw <script>alert(1)</script>")


def huge(tensor):
    tensor.fill_(1e30)


def interrupt(tensor):
    raise KeyboardInterrupt


@pytest.fixture(scope="module")
def digits():
    X, y = load_digits(return_X_y=True)
    return X / 16, y


@pytest.fixture(scope="module")
def result(digits):
    clf = MLPClassifier((16, 8), max_epochs=2)
    return compare_initializers(clf, *digits, n_repeats=2, random_state=0)


def test_frames_are_tidy(result):
    assert len(result.runs) == 12
    assert len(result.history) == 24
    assert set(result.runs["status"]) == {"ok"}
    assert result.runs["initializer"].cat.categories.tolist() == result.initializers
    assert result.runs.groupby("repeat")["seed"].nunique().tolist() == [1, 1]
    # All runs before and after training, the first repeat also after one epoch: 2 hidden layers x 2 positions + output.
    assert len(result.layers) == (12 * 2 + 6) * 5
    assert len(result.gradients) == 12 * 5
    assert len(result.weights) == 12 * 2 * 6
    during = result.layers[result.layers["phase"] == "training"]
    assert during[["repeat", "fold", "epoch"]].drop_duplicates().to_numpy().tolist() == [[0, 0, 1]]
    for statistics, histograms, position in (
        (result.layers, result.histograms, "position"),
        (result.weights, result.weight_histograms, "parameter"),
    ):
        keys = ["initializer", "repeat", "phase", "epoch", "layer", position]
        totals = histograms.groupby(keys, observed=True)["count"].sum().sort_index()
        assert (totals == statistics.set_index(keys)["count"].sort_index()).all()
    last = result.history.query("epoch == 2").reset_index()
    np.testing.assert_allclose(last["val_score"], result.runs["score"])


@pytest.mark.slow
def test_bytes_do_not_depend_on_jobs(result, digits, tmp_path):
    again = compare_initializers(MLPClassifier((16, 8), max_epochs=2), *digits, n_repeats=2, n_jobs=2)
    result.to_csv(tmp_path / "a")
    again.to_csv(tmp_path / "b")
    for name in set(TABLES) - {"timing"}:
        assert (tmp_path / "a" / f"{name}.csv").read_bytes() == (tmp_path / "b" / f"{name}.csv").read_bytes()
    # Durations differ every time. The report does not have the number of jobs.
    again.timing = result.timing
    assert again.to_json() == result.to_json()


def test_summary_ranks_and_tests(result):
    summary = result.summary()
    assert summary["rank"].tolist() == list(range(1, 7))
    assert summary["mean_score"].is_monotonic_decreasing
    assert not summary["significant"].iloc[0]
    assert np.isnan(summary["p_value"].iloc[0])


def test_failed_and_diverged_runs_are_rows(tmp_path):
    X, y = load_iris(return_X_y=True)
    clf = MLPClassifier((8,), max_epochs=1)
    initializers = ["he_normal", explode, huge]
    result = compare_initializers(clf, X, y, initializers=initializers, n_repeats=1, activations=False)
    assert result.runs["status"].tolist() == ["ok", "failed", "diverged"]
    assert "cannot draw" in result.runs["reason"][1]
    assert result.summary()["n_failed"].sum() == 1
    page = result.to_html(tmp_path / "index.html").read_text()
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "<script>alert(1)" not in page


def test_an_interrupt_keeps_the_finished_runs(digits, capsys):
    clf = MLPClassifier((8,), max_epochs=1)
    with pytest.raises(ComparisonInterrupted) as caught:
        compare_initializers(clf, *digits, initializers=["zeros", "he_normal", interrupt], n_repeats=1)
    assert (caught.value.finished, caught.value.planned) == (2, 3)
    result = caught.value.result
    assert result.runs["initializer"].tolist() == ["zeros", "he_normal"]
    assert "not complete: 2 of 3 runs" in repr(result)
    assert result.answer().startswith("Not complete: this report shows the 2 of 3 runs")
    assert isinstance(caught.value, KeyboardInterrupt)
    assert "interrupted with 2 of 3 runs finished" in capsys.readouterr().err


@pytest.mark.filterwarnings("ignore:The number of unique classes")
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"n_repeats": 0}, "n_repeats=0"),
        ({"initializers": []}, "at least one"),
        ({"initializers": ["he", "kaiming"]}, "each one once"),
        (
            {"initializers": ["he", "kaiming"]},
            "twice, as 'he' and 'kaiming'.*are synonyms of he_normal",
        ),
        (
            {"initializers": ["he_normal", "kaiming_normal"]},
            r"\('kaiming_normal' is a synonym of he_normal;",
        ),
        ({"initializers": ["he_normal"] * 2}, r"he_normal is given twice \(allowed: each one once\)"),
        ({"initializers": ["he", VarianceScaling(2.0)]}, "he_normal is given twice"),
        ({"initializers": ["hee"]}, "did you mean"),
        ({"initializers": "he"}, "a list of at least one"),
        ({"estimator": LogisticRegression()}, "no parameter of LogisticRegression is.*parameter="),
        ({"estimator": MLPClassifier}, "an estimator as in scikit-learn, a skorch net"),
        ({"parameter": "intializer"}, "did you mean 'initializer'"),
        ({"estimator": NESTED, "grid": {"lr": [1]}}, r"grid: unknown parameter 'lr'; did you mean 'net__lr'\?"),
        ({"estimator": NESTED, "parameter": "initializer"}, r"unknown parameter .*; did you mean 'net__initializer'\?"),
        (
            {"estimator": GridSearchCV(NESTED, {}), "grid": {"lr": [1]}},
            r"unknown parameter 'lr'; did you mean 'estimator__net__lr'\?",
        ),
        ({"grid": {"lrr": [1]}}, "unknown parameter 'lrr'; did you mean 'lr'"),
        ({"grid": {"lr": 0.1}}, "a list of at least one value"),
        ({"grid": {"lr": []}}, "a list of at least one value"),
        ({"grid": {"lr": [0.1, 0.1]}}, "the values of lr must differ"),
        ({"grid": {"initializer": ["zeros"]}}, "give its values as initializers="),
        ({"grid": ["lr"]}, "a dict with a list of values"),
        ({"scoring": "acuracy"}, "scoring='acuracy' is not allowed"),
        ({"scoring": []}, "at least one scorer"),
        ({"cv": 1}, "cv=1 does not split these data"),
        ({"groups": [0] * 1797}, "groups need a cv"),
        ({"grid": {"random_state": [0, 1]}}, "random_state= and n_threads= already set random_state for every run"),
        ({"estimator": LogisticRegression(), "parameter": "C"}, "C is not an initializer: give its values"),
        ({"n_jobs": 0}, "n_jobs=0 is not allowed"),
        ({"n_jobs": "2"}, "n_jobs='2' is not allowed"),
        ({"store": 3}, "store=3 is not allowed .a path, or None"),
        ({"cv": 5, "X_val": np.zeros((2, 64)), "y_val": [0, 1]}, "cv and X_val are not allowed together"),
        ({"racing": 1, "n_threads": 0}, "n_threads=0.*racing=1"),
        ({"estimator": MLPClassifier((0,), lr=-1)}, "hidden_layer_sizes=.*lr=-1"),
        ({"y": None}, "y"),
        ({"y": np.arange(1797.0) / 7}, "Unknown label type: continuous"),
        ({"y": np.arange(1797)}, "classes with a single sample: 1797 of 1797 .0 in row 1, 1 in row 2, 2 in row"),
        ({"y": [1, *[0] * 1796]}, "classes with a single sample: 1 of 2 .1 in row 1."),
        ({"y": [None, *range(1796)]}, "y has 1 missing value; the first is in row 1; leave out the samples"),
        ({"X": np.full((1797, 2), np.nan)}, "X has NaN: column 1 .row 1."),
        ({"X_val": np.zeros((2, 64))}, "go together"),
        ({"X_val": np.zeros((2, 3)), "y_val": [0, 1]}, "X_val has 3 features, X has 64"),
        ({"X_val": np.zeros((2, 64)), "y_val": [0, 1, 2]}, "inconsistent numbers of samples: 2 and 3"),
        ({"X_val": np.zeros((2, 64)), "y_val": [0, 11]}, "labels that y does not have: 11"),
    ],
)
def test_arguments_that_would_fail_every_run_raise(digits, arguments, words):
    with pytest.raises(InvalidParameterError, match=words):
        compare_initializers(**{"estimator": MLPClassifier(), "X": digits[0], "y": digits[1], **arguments})


def test_functions_with_the_same_name_get_a_number(digits):
    functions = [lambda w: w.fill_(0.1), lambda w: w.fill_(0.2)]
    result = compare_initializers(MLPClassifier((4,), max_epochs=1), *digits, initializers=functions, n_repeats=1)
    assert result.initializers == ["<lambda>", "<lambda> (2)"]


def test_a_diverged_run_has_no_score_and_comes_last(digits):
    clf = MLPClassifier((8,), max_epochs=2, optimizer="sgd", lr=1e30)
    result = compare_initializers(clf, *digits, initializers=["he_normal", "zeros"], n_repeats=2)
    assert result.runs.query("initializer == 'he_normal'")["status"].tolist() == ["diverged"] * 2
    summary = result.summary()
    assert summary["initializer"].iloc[-1] == "he_normal"
    assert summary["n_diverged"].iloc[-1] == 2
    assert summary["significant"].isna().iloc[-1]


def test_the_activation_grid_shows_zeros_separately(result):
    display = ActivationGridDisplay.from_frames(result.histograms, result.layers, phase="initialized")
    assert display.zero_fractions["zeros", "hidden_1"] == 1
    assert display.panels["zeros", "hidden_1"].empty
    panel = display.panels["he_normal", "hidden_2"]
    mass = (panel["density"] * (panel["right"] - panel["left"])).sum()
    assert mass == pytest.approx(1 - display.zero_fractions["he_normal", "hidden_2"])


def test_axes_of_the_activation_grid(result):
    display = ActivationGridDisplay.from_frames(result.histograms, result.layers)
    shared = display.plot().axes_
    assert shared.shape == (6, 2)
    for column in shared.T:
        assert len({ax.get_xlim() for ax in column}) == 1
    assert len({ax.get_ylim() for ax in shared.flat}) == 1
    article = display.plot(axes="article").axes_
    assert {(ax.get_xlim(), ax.get_ylim()) for ax in article.flat} == {((-1, 1), (0, 4))}
    with pytest.raises(ValueError, match="did you mean 'article'"):
        display.plot(axes="artcle")
    with pytest.raises(ValueError, match="unknown initializer 'he'"):
        display.plot(initializers=["he"])


def test_learning_curves_are_means(result):
    curves = LearningCurvesDisplay.from_frames(result.history).curves
    he = 1 - result.history.query("initializer == 'he_normal' and epoch == 1")["val_score"]
    row = curves.query("initializer == 'he_normal' and epoch == 1").iloc[0]
    assert row["val_error_mean"] == pytest.approx(he.mean())
    # An error lies between 0 and 1: Student's interval on the logit scale, by the delta method.
    slope = 1 / (he.mean() * (1 - he.mean()))
    interval = stats.t.interval(0.95, len(he) - 1, logit(he.mean()), slope * stats.sem(he))
    assert (row["val_error_low"], row["val_error_high"]) == pytest.approx(tuple(expit(interval)))


def test_pictures_do_not_change_matplotlibs_settings(tmp_path):
    import matplotlib as mpl

    clf = MLPClassifier((4,), max_epochs=1)
    result = compare_initializers(clf, *load_iris(return_X_y=True), initializers=["he_normal", "zeros"], n_repeats=2)
    before = dict(mpl.rcParams)
    result.to_pictures(tmp_path)
    assert dict(mpl.rcParams) == before


def test_scalars_of_numpy_are_plain_numbers_everywhere(tmp_path):
    options = {"initializers": ["zeros", "ones"], "activations": False, "random_state": np.int64(0)}
    clf, (X, y) = MLPClassifier((4,), max_epochs=1), load_iris(return_X_y=True)
    numbers = {"n_repeats": np.int32(2), "n_threads": np.int64(1), "racing": np.False_, "n_jobs": np.int64(1)}
    result = compare_initializers(clf, X, y, **options, **numbers, store=tmp_path / "runs.sqlite")
    plain = compare_initializers(clf, X, y, **options, n_repeats=2, store=tmp_path / "runs.sqlite")
    assert ComparisonResult.load(result.save(tmp_path / "saved")).settings == plain.settings


def test_more_jobs_than_runs_are_not_started():
    options = {"initializers": ["zeros", "ones"], "activations": False, "n_repeats": 1}
    clf, data = MLPClassifier((4,), max_epochs=1), load_iris(return_X_y=True)
    # Threads, since new processes would load all libraries.
    with joblib.parallel_config("threading"):
        scores = [compare_initializers(clf, *data, **options, n_jobs=n).runs["score"] for n in (1, 10**12)]
    assert scores[0].equals(scores[1])
