"""Diagnose and then train 40 layers of 300 tanh units on MNIST, at the edge of chaos and off it.

The depth scale at weight variance 1.0 and bias variance 0.05 is 3.63 layers, so networks of up to about 22 layers train
(Schoenholz et al. 2017, figure 5); at 1.76 there is no limit. Prints accuracies and scores, and writes
results/deep_tanh.csv.
"""

import argparse
from pathlib import Path

import pandas as pd
import torch
from fleet import load, network, train

from initsk import diagnose, initialize
from initsk.initializers import RandomNormal, VarianceScaling
from initsk.theory import MeanField

RESULTS = Path(__file__).parent / "results"
BIAS_VARIANCE = 0.05


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    X, y, X_test, y_test = load()
    grid = [(variance, seed) for variance in (1.0, 1.76) for seed in range(options.seeds)]
    modules, rows = [], []
    for variance, seed in grid:
        module = network(X.shape[1], 10, "tanh", 40, 300)
        biases = RandomNormal(BIAS_VARIANCE**0.5)
        initialize(module, VarianceScaling(variance), bias_initializer=biases, random_state=seed)
        modules.append(module)
        optimizer = torch.optim.SGD(module.parameters(), lr=0.001, momentum=0.9)
        diagnosis = diagnose(module, X, y, optimizer=optimizer, budget=900, random_state=seed)
        scale = MeanField("tanh", variance, BIAS_VARIANCE).depth_scales()
        rows.append((variance, seed, scale.xi_c, scale.reach, diagnosis.score, diagnosis.will_train, str(diagnosis)))
    fleet = train(modules, [0.001] * len(modules), X, y, steps=900)
    columns = ["weight_variance", "seed", "xi_c", "reach", "score", "will_train", "diagnosis"]
    frame = pd.DataFrame(rows, columns=columns).assign(accuracy=fleet.accuracies(X_test, y_test))
    frame.to_csv(options.out / "deep_tanh.csv", index=False, float_format="%.5g")
    print(frame.to_string())


if __name__ == "__main__":
    main()
