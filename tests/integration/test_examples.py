"""The claims of the papers, as the examples show them; run small."""

import runpy
from pathlib import Path

import numpy as np
import pytest
import torch

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture
def run(tmp_path, monkeypatch, one_thread):
    """Run an example's `main` in an empty folder and check that its picture is there."""

    def run_main(name, **sizes):
        monkeypatch.chdir(tmp_path)
        main = runpy.run_path(str(EXAMPLES / f"plot_{name}.py"))["main"]
        with torch.random.fork_rng():
            found = main(**sizes)
        assert (tmp_path / f"reports/examples/{name}.png").read_bytes().startswith(b"\x89PNG")
        return found

    return run_main


def test_signal_along_depth(run):
    last = run("signal_along_depth").iloc[-1]
    # LeCun's scale halves the mean square in every ReLU layer; a factor of 4 is room for twenty random layers.
    assert np.log2(last["LeCun"]) == pytest.approx(-10, abs=2)
    assert last["Xavier"] == pytest.approx(last["LeCun"], rel=1e-4)
    assert 0.25 < last["He"] < 4
    assert 0.25 < last["orthogonal, gain sqrt(2)"] < 4


def test_xaviers_signal_halves_with_every_relu_layer(run):
    table = run("he2015_deep_relu", depth=20, width=100, max_epochs=1, seeds=(0,))
    # The mean square is 2^-20 of He's; the same random numbers serve both, so only the scale differs.
    ratio = table.loc["xavier", "signal"] / table.loc["he_normal", "signal"]
    # The first layer has 64 inputs and 100 outputs: there Xavier's variance is 2 / 164 where He's is 2 / 64.
    assert ratio.item() == pytest.approx(2 ** (-19 / 2) * (64 / 164) ** 0.5, rel=1e-4)


@pytest.mark.slow
def test_thirty_relu_layers_learn_with_he_and_not_with_xavier(run):
    table = run("he2015_deep_relu")
    # Over 20 seeds the best epoch was 0.79 to 0.93 with He (mean 0.88) and at most 0.11 with Xavier; the most frequent
    # class is 0.12 of the test images. The accuracy jumps between epochs, so the last one is compared by its mean.
    assert (table.loc["he_normal", "best epoch"] > 0.6).all()
    assert (table.loc["xavier", "best epoch"] < 0.15).all()
    assert table.loc["he_normal", "last epoch"].mean() > 2 * table.loc["xavier", "last epoch"].mean()


@pytest.mark.slow
def test_depth_slows_gaussian_chains_and_not_orthogonal_ones(run):
    table = run("saxe2013_linear_depth", depths=(2, 8, 16), width=32, max_steps=200, seeds=(0, 1))
    orthogonal, gaussian = table.loc["orthogonal"], table.loc["Gaussian, variance 1 / fan_in"]
    # Over 20 seeds orthogonal chains of depth 16 took 2.7 to 7.3 times as long as those of depth 2, and no
    # Gaussian one of depth 8 or 16 got there.
    assert (orthogonal[16] <= 10 * orthogonal[2]).all()
    assert np.isinf(gaussian[[8, 16]]).all(axis=None)
    assert np.isfinite(gaussian[2]).all()


@pytest.mark.slow
def test_lsuv_gives_every_layer_of_the_articles_network_unit_variance(run):
    table = run("lsuv_unit_variance", batch_size=256)
    assert table.index.to_list() == ["hidden_1", "hidden_2", "hidden_3", "hidden_4", "output"]
    np.testing.assert_allclose(table["LSUV"], 1, atol=0.01)
    # Images have a mean square of about 0.1, so no formula of the fans gives unit variance here.
    assert (table[["He", "Xavier", "orthogonal"]] < 0.7).all(axis=None)


def test_delta_orthogonal_convolutions_keep_every_norm(run):
    table = run("xiao2018_delta_orthogonal", depth=40, channels=6, size=4, n_inputs=5)
    delta = table.loc["delta-orthogonal"]
    # 40 products of 6 x 6 matrices in float32, each off by some 2^-24 at most times 6.
    assert delta["largest relative error, any depth"] < 1e-5
    np.testing.assert_allclose(delta[["largest singular value", "smallest singular value"]].astype(float), 1, rtol=1e-5)
    others = table.drop("delta-orthogonal")
    assert (others["largest singular value"] > 2 * others["smallest singular value"]).all()
    # Without an activation function He's variance doubles the mean square in every layer.
    assert table.loc["He", "mean norm"] / table.loc["LeCun", "mean norm"] == pytest.approx(2**20, rel=1e-3)


def test_sparse_units_have_an_input_that_does_not_depend_on_width(run):
    frame = run("martens2010_sparse", widths=(50, 500, 2000), n_units=300, n_samples=200)
    by_name = frame.set_index(["initializer", "width"])
    sparse, dense = by_name.loc["sparse: 15 from N(0, 1)"], by_name.loc["dense N(0, 1)"]
    assert (sparse[["fewest weights", "most weights"]] == 15).all(axis=None)
    # Uniform inputs of variance 1/3. Units vary by sqrt(2 / 15) in their squared input, so the mean of 300 has a
    # standard error of 2 %, its root of 1 %: six of them are a false alarm in 1e8 runs.
    np.testing.assert_allclose(sparse["std of the input"], (15 / 3) ** 0.5, rtol=0.07)
    np.testing.assert_allclose(dense["std of the input"], np.sqrt(dense.index / 3), rtol=0.07)
    assert np.ptp(sparse["saturated"]) < 0.05
    assert dense["saturated"].is_monotonic_increasing


@pytest.mark.slow
def test_only_the_variance_two_over_fan_in_keeps_the_mean_length(run):
    networks = {"wide": (100,) * 4, "mixed": (100, 25), "narrow": (20,) * 2}
    last, spread = run("hanin2018_mean_length", widths=(40,) * 10, networks=networks, n_draws=1000)
    # Five means of a thousand draws with a long right tail: over 150 seeds none was off by 3.5 standard errors.
    assert (abs(last["mean"] - last["predicted"]) < 6 * last["standard error"]).all()
    assert last["predicted"][2.0] == 1
    assert last["mean"][1.6] < 0.25 < 4 < last["mean"][2.4]
    # Over 150 seeds the measured standard deviations scatter about the predicted ones by 4 %, and by 16 % at most.
    np.testing.assert_allclose(spread["std"], spread["predicted"], rtol=0.25)
    assert spread["predicted"].is_monotonic_increasing


@pytest.mark.slow
def test_every_initializer_has_its_best_learning_rate(run):
    table = run("grid_search", rates=(1e-3, 1e-2), hidden=(32, 32), max_epochs=5, n_folds=2)
    assert table.loc["zeros"].max() < 0.2
    assert table.loc[["glorot_normal", "he_normal", "Orthogonal(gain=1.4)"]].max(axis=1).min() > 0.8
    # Weights of standard deviation 0.01 learn at the larger rate, if at all.
    assert table.loc["random_normal"].idxmax() == 1e-2


@pytest.mark.slow
def test_random_normal_needs_the_larger_learning_rate(run):
    result = run("fair_comparison", rates=(1e-3, 1e-2), hidden=(32, 32, 32), max_epochs=5, n_repeats=4)
    summary = result.summary().set_index("initializer")
    # Weights of standard deviation 0.01 want the larger rate; at the smaller one they hardly learn.
    assert summary.loc["random_normal", "lr"] == 1e-2
    by_setting = result.summary(by="setting").set_index(["initializer", "lr"])["mean_score"]
    assert by_setting["random_normal", 1e-3] < summary.loc["random_normal", "mean_score"]
    assert (summary.drop("random_normal")["mean_score"] > 0.9).all()


@pytest.mark.slow
def test_a_linear_model_reads_every_layer(run):
    tables = run("pipeline_on_activations", hidden=(32, 16), epochs=(1, 10), n_folds=2)
    assert tables[10].index.tolist() == ["hidden_1", "hidden_2"]
    # Nine of ten digits are read from a trained first layer, and training does not make a layer worse to read.
    assert (tables[10].loc["hidden_1"] > 0.8).all()
    assert (tables[10].loc["hidden_2"] > tables[1].loc["hidden_2"]).all()


@pytest.mark.slow
def test_signals_that_are_lost_learn_worse(run):
    table = run("pandas_analysis", scales=(0.02, 1.0, 50.0), hidden=(32,) * 6, max_epochs=3, n_repeats=2)
    means = table.groupby("initializer__scale")[["rms", "score"]].mean()
    assert means["rms"].is_monotonic_increasing
    lost, kept, saturated = means["score"]
    assert kept > max(lost, saturated) + 0.2


@pytest.mark.slow
def test_your_own_csv(run):
    result = run("your_own_csv", initializers=["zeros", "he_normal"], max_epochs=5, n_repeats=1)
    summary = result.summary().set_index("initializer")
    assert summary.index[-1] == "zeros"
    assert len(result.runs) == 2 * 5
    assert result.settings["dataset"] == "wines.csv"


def test_the_gallery_shows_every_example():
    page = (EXAMPLES / "README.md").read_text()
    for script in EXAMPLES.glob("plot_*.py"):
        assert f"({script.name})" in page, script.name
        assert f"(../reports/examples/{script.stem.removeprefix('plot_')}.png)" in page, script.name


@pytest.mark.slow
def test_findings_in_your_network_and_what_padding_changes(run):
    found = run("inspect_your_network", n_images=300, n_texts=60)
    kinds = {name: set(summary.findings()["kind"]) for name, summary in found.items()}
    assert kinds.pop("small weights") == {"vanishing"}
    assert list(kinds.values()) == [set()] * 3
    frame = found["he_normal"].to_frame().set_index(["layer", "position"])
    assert frame.loc[("stem.0", "pre_activation"), "min"] < 0 == frame.loc[("stem.0", "activation"), "min"]
    assert frame.loc[("block.leaky_relu", "activation"), "function"] == "leaky_relu"
    short, long = (found[name].to_frame()["std"] for name in ("reader", "longer padding"))
    np.testing.assert_allclose(short, long, rtol=1e-5)


@pytest.mark.slow
def test_what_training_does_to_good_and_bad_starts(run):
    table = run("activations_over_training", max_epochs=5)
    assert table["findings at the start"].to_dict() == {"good": "", "bad": "vanishing"}
    assert table.loc["good", "findings at the end"] == ""
    # Of six layers each makes the signal at least ten times smaller; chance is right once in ten.
    assert table.loc["bad", "last rms at the start"] < 1e-5 * table.loc["good", "last rms at the start"]
    assert table.loc["bad", "accuracy"] < 0.3 < 0.8 < table.loc["good", "accuracy"]
    assert table["bytes"].max() < 1e6


@pytest.mark.slow
def test_the_critical_line_lies_between_what_vanishes_and_what_explodes(run):
    table = run("phase_diagram", depth=8, width=60)
    assert table.loc["half of LeCun's", "phase"] == "ordered"
    assert table.loc["he_normal", "phase"] == "chaotic"
    assert table["reach"].idxmax() in ("lecun_normal", "critical, biases 0.05")


@pytest.mark.slow
def test_the_score_predicts_which_networks_train(run):
    table = run("will_it_train", depths=(8,), max_epochs=8).set_index("initializer")
    assert (table["score before"] > 0.5).tolist() == [False, False, True]
    assert table.loc["auto", "accuracy after"] > 0.8 > 0.5 > table.loc["glorot_uniform", "accuracy after"]
