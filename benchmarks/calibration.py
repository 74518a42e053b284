"""Measure the false alarm rate of a comparison's tests at the 5 % level.

Every experiment compares He's initializer with itself under other random numbers, on scikit-learn's iris, by
log-loss. Prints the share of experiments with p < 0.05, and the exact 95 % interval of that share.
"""

import argparse

import torch
from scipy import stats
from sklearn.datasets import load_iris

from initsk import MLPClassifier, compare_initializers
from initsk.comparison import ComparisonResult
from initsk.initializers import HeNormal


class OtherSeeds(HeNormal):
    """He's initializer with other random numbers."""

    def __init__(self, number=1, mode="fan_in"):
        super().__init__(mode)
        self.number = number

    def draw_values(self, position, generator, dtype):
        """Draw from a generator whose seed also depends on `number`."""
        seed = int(torch.randint(2**61, (), generator=generator)) + self.number
        return super().draw_values(position, torch.Generator().manual_seed(seed), dtype)


def p_values(seed, n_initializers, **arguments):
    X, y = load_iris(return_X_y=True)
    same = ["he_normal", *(OtherSeeds(number) for number in range(1, n_initializers))]
    result = compare_initializers(
        MLPClassifier((4,), max_epochs=1, lr=0.05), X, y, initializers=same, scoring="neg_log_loss",
        activations=False, random_state=seed, **arguments,
    )  # fmt: skip
    uncorrected = ComparisonResult(result.frames | {"runs": result.runs.assign(val_ratio=0.0)})
    return result.pairwise()["p_value"].min(), uncorrected.pairwise()["p_value"].min()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--experiments", type=int, default=1000)
    n = parser.parse_args().experiments
    designs = {
        "2 initializers, 5 repeats": {"n_initializers": 2, "n_repeats": 5},
        "4 initializers, 5 repeats (any pair)": {"n_initializers": 4, "n_repeats": 5},
        "2 initializers, 5 folds": {"n_initializers": 2, "n_repeats": 1, "cv": 5},
    }
    for name, design in designs.items():
        found = [p_values(seed, **design) for seed in range(n)]
        for which, column in (("as it is", 0), ("without the correction for folds", 1)):
            if which == "as it is" or "folds" in name:
                alarms = sum(pair[column] < 0.05 for pair in found)
                low, high = stats.binomtest(alarms, n).proportion_ci()
                print(f"{name}, {which}: {alarms / n:.3f} ({low:.3f} to {high:.3f})", flush=True)


if __name__ == "__main__":
    main()
