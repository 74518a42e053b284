"""
Activations while a network learns
==================================

A network of six ReLU layers is trained on the digits, with a good and with a bad initializer: He's, and normal weights
of standard deviation 0.01. ``ActivationRecorder`` measures the layers at the start and after every epoch, on 200 images
that are not used for training. With He's initializer, there are no findings before or after training. With the bad one,
almost no signal reaches the last layer, and most units of the last four layers are dead after training. The records
take less than a megabyte. Writes ``reports/examples/activations_over_training.png`` for the good initializer, and a
second picture for the bad one.
"""

import numpy as np
import pandas as pd
from sklearn.datasets import load_digits

from initsk import MLPClassifier, inspect_activations
from initsk.displays import HistoryDisplay
from initsk.inspection import ActivationRecorder
from initsk.report import describe_findings

STARTS = {"good": "he_normal", "bad": "random_normal"}
SUFFIXES = {"good": "", "bad": "_bad_start"}


def main(depth=6, width=64, max_epochs=20, n_probe=200, random_state=0):
    X, y = load_digits(return_X_y=True)
    X = (X / 16).astype(np.float32)
    probe, rest, y_probe, y_rest = X[:n_probe], X[n_probe:], y[:n_probe], y[n_probe:]
    rows, frames = [], {}
    for start, initializer in STARTS.items():
        recorder = ActivationRecorder(probe=probe)
        options = {"initializer": initializer, "random_state": random_state, "n_threads": 1}
        clf = MLPClassifier((width,) * depth, max_epochs=max_epochs, callbacks=[recorder], **options)
        findings = {"start": describe_findings(inspect_activations(clf, probe, y_probe))}
        clf.fit(rest, y_rest)
        findings["end"] = describe_findings(inspect_activations(clf, probe))
        frames[start] = recorder.to_frame(), recorder.histograms()
        for when, frame in findings.items():
            print(f"{start} initializer, at the {when} of the training:", "; ".join(frame["evidence"]) or "no findings")
        size = sum(int(frame.memory_usage(deep=True).sum()) for frame in frames[start])
        last = frames[start][0].query(f"layer == 'hidden_{depth}' and position == 'activation'")["rms"]
        rows.append({
            "accuracy": clf.score(probe, y_probe),
            **{f"findings at the {when}": ", ".join(frame["kind"].unique()) for when, frame in findings.items()},
            "last rms at the start": last.iloc[0],
            "last rms at the end": last.iloc[-1],
            "bytes": size,
        })  # fmt: skip
    table = pd.DataFrame(rows, index=pd.Index(STARTS, name="initializer"))
    print("\n" + table.T.to_string())
    draw(frames)
    return table


def draw(frames):
    for start, (history, histograms) in frames.items():
        display = HistoryDisplay.from_frames(histograms, history)
        print(display.save(f"reports/examples/activations_over_training{SUFFIXES[start]}.png"))


if __name__ == "__main__":
    main()
