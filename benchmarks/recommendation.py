"""Compare "auto" with every other initializer, each at its own best learning rate.

Reads the table of `recommendation_training.py`. For each task and initializer the rate with the best mean accuracy on
validation data is taken, and its mean accuracy on test data is the score. The best initializer of a task is the best of
ten noisy numbers, so its score is too high on average. The best one is therefore also chosen with one half of the seeds
and scored with the other half, in both ways. Writes results/recommendation.csv, .json and .png.
"""

import argparse
import json
from pathlib import Path

import pandas as pd
from recommendation_training import TABLE

RESULTS = Path(__file__).parent / "results"
TASK = ["data", "activation", "depth", "width"]


def tuned(table):
    """Return the score of each initializer (columns) on each task (rows), in points, at its best learning rate."""
    means = table.groupby([*TASK, "initializer", "rate"])[["valid", "test"]].mean().reset_index()
    best = means.loc[means.groupby([*TASK, "initializer"])["valid"].idxmax()]
    return 100 * best.pivot_table(index=TASK, columns="initializer", values="test")


def behind(score, others, auto):
    """Return how far "auto" is behind the best other initializer, chosen by one table and scored by the other."""
    best = others.drop(columns="auto").idxmax(axis=1)
    return pd.Series([score.loc[task, best[task]] - auto[task] for task in score.index], score.index)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--table", type=Path, default=TABLE)
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    table = pd.read_csv(options.table)
    scores = tuned(table)
    halves = [tuned(table[table["seed"] % 2 == half]) for half in (0, 1)]
    fair = sum(behind(one, other, one["auto"]) for one, other in (halves, halves[::-1])) / 2
    plain = scores.max(axis=1) - scores["auto"]
    report = {
        "tasks": len(scores),
        "behind the best, mean": plain.mean(),
        "behind the best, at most": plain.max(),
        "behind the best by other seeds, mean": fair.mean(),
        "behind the best by other seeds, at most": fair.max(),
        "mean score": scores.mean().sort_values(ascending=False).round(3).to_dict(),
        "ahead of each, mean": (scores["auto"].mean() - scores.mean()).sort_values().round(3).to_dict(),
        "tasks more than 3 points below the best": (scores.lt(scores.max(axis=1) - 3, axis=0)).sum().to_dict(),
    }
    options.out.mkdir(exist_ok=True)
    scores.assign(behind=plain, behind_by_other_seeds=fair).round(3).to_csv(options.out / "recommendation.csv")
    text = json.dumps(report, indent=1)
    (options.out / "recommendation.json").write_text(text + "\n")
    draw(scores, options.out / "recommendation.png")
    print(scores.round(1).to_string())
    print(text)


def draw(scores, path):
    """Draw how far each initializer is behind the best of each task, with one row per initializer."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4), layout="constrained")
    axes = figure.subplots()
    gaps = -scores.sub(scores.max(axis=1), axis=0)
    for row, name in enumerate(gaps.mean().sort_values().index):
        color = "#D55E00" if name == "auto" else "#0072B2"
        axes.plot(gaps[name].clip(lower=0.03), [row] * len(gaps), "o", alpha=0.4, markersize=5, color=color)
        axes.plot([max(gaps[name].mean(), 0.03)], [row], "|", markersize=16, markeredgewidth=3, color=color)
    axes.set_yticks(range(gaps.shape[1]), gaps.mean().sort_values().index)
    axes.invert_yaxis()
    axes.set_xscale("log")
    axes.axvline(3, color="#808080", linewidth=0.8, linestyle=":")
    axes.set_xlabel("points behind the best of each task (marks: means; 0 is drawn at 0.03)")
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    main()
