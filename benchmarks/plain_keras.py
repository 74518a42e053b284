"""Run the article's experiment as its script does, in Keras on TensorFlow; `main_job.py` times it.

Two defects of the script are corrected: the network has ten outputs, and pixels are scaled to 0..1. The sixth
initializer is orthogonal. As in the article, runs follow each other, each on all of TensorFlow's threads and in batches
of 32, and the test images pass through every layer after training.
"""

import os

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import pandas as pd
from experiment import load, read_options

INITIALIZERS = {
    "zeros": keras.initializers.Zeros,
    "random_normal": lambda: keras.initializers.RandomNormal(stddev=0.01),
    "glorot_normal": keras.initializers.GlorotNormal,
    "he_normal": keras.initializers.HeNormal,
    "lecun_normal": keras.initializers.LecunNormal,
    "orthogonal": keras.initializers.Orthogonal,
}


def run_one(initializer, seed, epochs, X, y, X_test, y_test):
    """Train once; return the test accuracy and a histogram of each layer's activations."""
    keras.utils.set_random_seed(seed)
    layers = [keras.layers.Input((784,))]
    for size in (512, 256, 128, 64):
        layers.append(keras.layers.Dense(size, activation="relu", kernel_initializer=INITIALIZERS[initializer]()))
    layers.append(keras.layers.Dense(10, activation="softmax", kernel_initializer=INITIALIZERS[initializer]()))
    model = keras.Sequential(layers)
    model.compile(optimizer=keras.optimizers.Adam(), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    history = model.fit(X, y, epochs=epochs, validation_data=(X_test, y_test), verbose=0)
    histograms = []
    for depth in range(1, len(model.layers) + 1):
        part = keras.Sequential(model.layers[:depth])
        histograms.append(np.histogram(part.predict(X_test, verbose=0), bins=50, density=True))
    return initializer, seed, history.history["val_accuracy"][-1], histograms


def main():
    options = read_options()
    X, y, X_test, y_test = load(options.limit)
    runs = [
        run_one(name, seed, options.epochs, X, y, X_test, y_test)
        for seed in range(options.repeats)
        for name in INITIALIZERS
    ]
    frame = pd.DataFrame([run[:3] for run in runs], columns=["initializer", "seed", "score"])
    options.out.mkdir(parents=True, exist_ok=True)
    frame.to_csv(options.out / "runs.csv", index=False)
    print(frame.groupby("initializer", sort=False)["score"].mean().to_string())


if __name__ == "__main__":
    main()
