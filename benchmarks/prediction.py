"""Measure how well the diagnosis before training predicts whether training succeeds.

Scores networks of `prediction_training.py` before training, fits the thresholds on half of the shapes, and reports on
the other half, which was not used for the fit: the area under the ROC curve and both error rates. Writes
results/prediction.csv, .json and .png; `initsk.inspection.THRESHOLDS` holds the thresholds that it prints.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import pandas as pd
from prediction_training import OPTIMIZERS, TABLE, built, load_all, shapes
from scipy.optimize import differential_evolution
from sklearn.metrics import roc_auc_score, roc_curve

from initsk.diagnosis import draw_samples, take_measurements
from initsk.inspection import DECIDING, Threshold, threshold_of
from initsk.network import get_model

RESULTS = Path(__file__).parent / "results"
#: An accuracy from which on training has succeeded; guessing gives 0.1.
SUCCESS = 0.8
KINDS = {"gradient": [name for name in OPTIMIZERS if name.startswith("sgd")], "adaptive": ["adam_0.001"]}
SYMMETRIC = threshold_of("symmetric")
# The kinds that are fitted; the sign is that of the healthy side.
FITTED = {"small gradient": 1, "large gradient": -1, "incoherent": 1, "disproportionate": 1, "overconfident": -1}
SHARES = ("incoherent", "symmetric")


def measured(table, path):
    """Return the values of every network of the table before training; networks in the file are not measured again."""
    data = load_all()
    rows = pd.read_csv(path).to_dict("records") if path.exists() else []
    known = {row["shape"] for row in rows}
    for *shape, name, kinds in shapes():
        if shape[0] in known or shape[0] not in set(table["shape"]):
            continue
        X, y = draw_samples(*data[name][:2], 512, 0)
        for (initializer, factor), module in zip(kinds, built(shape, kinds, X.shape[1]), strict=True):
            values = take_measurements(get_model(module), X, y, 0).values
            worst = {
                kind: (max if FITTED.get(kind, -1) < 0 else min)(found.values(), default=np.nan)
                for kind, found in values.items()
            }
            rows.append({"shape": shape[0], "initializer": initializer, "factor": factor, **worst})
        pd.DataFrame(rows).to_csv(path, index=False, float_format="%.6g")
    return pd.DataFrame(rows)


def thresholds_of(parameters, kinds):
    """Return thresholds from the fitted numbers: values, then widths."""
    thresholds, widths = np.split(np.asarray(parameters), 2)
    found = {"symmetric": SYMMETRIC}
    for kind, threshold, width in zip(kinds, thresholds, widths, strict=True):
        is_size = kind not in SHARES
        value = 10**threshold if is_size else threshold
        found[kind] = Threshold(
            float(f"{value:.2g}"), above=FITTED[kind] < 0, width=float(f"{width:.2g}"), is_size=is_size
        )
    return found


def scores(frame, limits):
    """Return the scores of networks: the health of their worst kind."""
    healths = [frame[kind].map(limit.health) for kind, limit in limits.items()]
    return np.min(healths, axis=0)


def fit(frame, success, kinds):
    """Return the thresholds with the greatest likelihood."""
    sizes = np.stack(
        [np.log10(np.clip(frame[v].fillna(1.0), 1e-12, 1e12)) if v not in SHARES else frame[v] for v in kinds]
    )
    signs = np.array([FITTED[v] for v in kinds])[:, None]
    y = success.to_numpy()
    symmetric = frame["symmetric"].map(SYMMETRIC.health).to_numpy()

    def loss(parameters):
        thresholds, widths = (part[:, None] for part in np.split(parameters, 2))
        health = 1 / (1 + np.exp(-np.clip(signs * (sizes - thresholds) / widths, -50, 50)))
        score = np.clip(np.minimum(health.min(0), symmetric), 1e-6, 1 - 1e-6)
        return -np.where(y, np.log(score), np.log(1 - score)).mean()

    # The search begins beyond all networks that trained, so that a threshold that is not needed flags none of them.
    ends = [(np.nanmin(row), np.nanmax(row)) for row in sizes]
    edges = [
        (min(low, row[y].min() - 0.5), np.median(row[y]))
        if FITTED[v] > 0
        else (np.median(row[y]), max(high, row[y].max() + 0.5))
        for v, row, (low, high) in zip(kinds, sizes, ends, strict=True)
    ]
    widths = [(0.02, 0.1) if v in SHARES else (0.1, 1.0) for v in kinds]
    found = differential_evolution(loss, [*edges, *widths], seed=0, maxiter=400, popsize=12, tol=1e-8)
    return thresholds_of(found.x, kinds)


def errors(score, success):
    """Return the area under the ROC curve, and both error rates at 0.5."""
    passed = score >= 0.5
    return {
        "networks": len(score), "trained": int(success.sum()), "auc": roc_auc_score(success, score),
        "flagged, trained": float((~passed & success).sum() / success.sum()),
        "called healthy, did not train": float((passed & ~success).sum() / (~success).sum()),
    }  # fmt: skip


def draw(curves, path):
    """Draw the ROC curves of the half that was not used for the fit."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5, 4.2), layout="constrained")
    axes = figure.subplots()
    for (kind, (success, score)), color in zip(curves.items(), ("#0072B2", "#E69F00"), strict=True):
        wrong, right, _ = roc_curve(success, score)
        axes.plot(wrong, right, color=color, label=f"{kind} (area {roc_auc_score(success, score):.3f})")
        passed = score >= 0.5
        axes.plot(
            (passed & ~success).sum() / (~success).sum(), (passed & success).sum() / success.sum(), "o", color=color
        )
    axes.plot([0, 1], [0, 1], color="#808080", linewidth=0.8, linestyle=":")
    axes.set_xlabel("called healthy, of networks that did not train")
    axes.set_ylabel("called healthy, of networks that trained")
    axes.set_title("Diagnosis before training, on shapes that were not used for the fit", fontsize=10)
    axes.legend(loc="lower right", frameon=False)
    figure.savefig(path, dpi=110)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--table", type=Path, default=TABLE)
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    options.out.mkdir(exist_ok=True)
    table = pd.read_csv(options.table)
    keys = ["shape", "initializer", "factor"]
    numbers = measured(table, options.out / "prediction_measured.csv")
    frame = table.merge(numbers[[*keys, "symmetric", *FITTED]], on=keys)
    frame["half"] = np.where(frame["shape"] % 2, "reported", "fitted")
    report, curves = {}, {}
    for kind, columns in KINDS.items():
        deciding = [kind for kind in DECIDING if kind in FITTED]
        success = frame[columns].max(axis=1) >= SUCCESS
        here = frame["half"] == "fitted"
        limits = fit(frame[here], success[here], deciding)
        frame[f"success_{kind}"], frame[f"score_{kind}"] = success, scores(frame, limits)
        unseen = frame.loc[~here, f"score_{kind}"], success[~here]
        report[kind] = {"limits": {name: vars(limit) for name, limit in limits.items()}, "unseen": errors(*unseen)}
        report[kind]["seen"] = errors(frame.loc[here, f"score_{kind}"], success[here])
        curves[kind] = (success[~here].to_numpy(), unseen[0].to_numpy())
    frame.to_csv(options.out / "prediction.csv", index=False, float_format="%.6g")
    text = json.dumps(report, indent=1)
    (options.out / "prediction.json").write_text(text + "\n")
    draw(curves, options.out / "prediction.png")
    print(text)


if __name__ == "__main__":
    main()
