"""Time a diagnosis and a recommendation of the article's network, and compare them with one epoch of its training."""

import argparse
import time

import numpy as np
from experiment import load

from initsk import MLPClassifier, diagnose, recommend_initializer
from initsk.network import get_model


def seconds(call):
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    X, y, *_ = load(60000)
    network = MLPClassifier((512, 256, 128, 64), max_epochs=1, batch_size=32, random_state=0)
    module = get_model(network, X, y).module
    calls = {
        "epoch of training": lambda: network.fit(X, y),
        "diagnosis": lambda: diagnose(network, X, y),
        "recommendation": lambda: recommend_initializer(module),
        "recommendation, measured": lambda: recommend_initializer(network, X, y),
    }
    for call in calls.values():
        call()
    rounds = {name: [seconds(call) for _ in range(options.rounds)] for name, call in calls.items()}
    epoch = np.median(rounds["epoch of training"])
    for name, found in rounds.items():
        middle = np.median(found)
        print(f"{name}: {middle:.4f} s ({min(found):.4f} to {max(found):.4f}), {middle / epoch:.4f} epochs")


if __name__ == "__main__":
    main()
