"""The pictures of the evaluation: ROC curves and reliability."""

import numpy as np
from matplotlib.figure import Figure
from sklearn.metrics import roc_auc_score, roc_curve

from initsk.displays import color_of

N_BINS = 8


def draw_roc(asked, path):
    """Draw a ROC curve for each family, with the point of the default threshold."""
    figure = Figure(figsize=(5.4, 4.6), layout="constrained")
    axes = figure.subplots()
    for number, (family, part) in enumerate(asked.groupby("family", sort=False)):
        success, score = part["succeeded"].to_numpy(), part["score"].to_numpy()
        wrong, right, _ = roc_curve(success, score)
        label = f"{family} (area {roc_auc_score(success, score):.3f})"
        axes.plot(wrong, right, color=color_of(number), linewidth=1.4, label=label)
        passed = score >= 0.5
        axes.plot((passed & ~success).sum() / (~success).sum(), (passed & success).sum() / success.sum(), "o",
                  color=color_of(number), markersize=5)  # fmt: skip
    axes.plot([0, 1], [0, 1], color="#808080", linewidth=0.8, linestyle=":")
    axes.set_xlabel("called healthy, of networks that failed")
    axes.set_ylabel("called healthy, of networks that succeeded")
    axes.legend(loc="lower right", frameon=False, fontsize=8)
    figure.savefig(path, dpi=110)


def draw_reliability(asked, path):
    """Draw the share of networks that succeeded against their mean score, in bins of equal width.

    Networks are weighted so that half of them succeed.
    """
    figure = Figure(figsize=(4.8, 4.4), layout="constrained")
    axes = figure.subplots()
    weight = np.where(asked["succeeded"], 0.5 / asked["succeeded"].mean(), 0.5 / (~asked["succeeded"]).mean())
    asked = asked.assign(weight=weight, right=weight * asked["succeeded"], at=weight * asked["score"])
    groups = asked.groupby(np.minimum((asked["score"] * N_BINS).astype(int), N_BINS - 1))
    total, n = groups["weight"].sum(), groups.size()
    mean, share = groups["at"].sum() / total, groups["right"].sum() / total
    error = 1.96 * np.sqrt((share * (1 - share)).clip(lower=0.25 / n) / n)
    ends = np.abs(np.clip([share - error, share + error], 0, 1) - share.to_numpy())
    axes.errorbar(mean, share, ends, fmt="o", color=color_of(0), capsize=2)
    for x, y, count in zip(mean, share, n, strict=True):
        axes.annotate(str(count), (x, y), xytext=(5, -11), textcoords="offset points", fontsize=8)
    axes.plot([0, 1], [0, 1], color="#808080", linewidth=0.8, linestyle=":")
    axes.set_xlim(-0.05, 1.12)
    axes.set_xlabel("score (with the number of networks)")
    axes.set_ylabel("share of networks that succeeded")
    figure.savefig(path, dpi=110)
