"""Compare the learning rate that a diagnosis finds with that of the range test of Lightning (`Tuner.lr_find`).

Networks of the developed families of `trainability/`, as torch draws them, train for 512 steps at eight fixed rates and
at both suggestions. The result of a rate is the loss on the training data in evaluation mode, relative to the baseline
loss. Writes results/learning_rates.csv with a row for each training; networks in the table are not trained again. It
needs the extra `zoo`, and takes about half an hour on one core.
"""

import argparse
import logging
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch.utils.data import DataLoader, TensorDataset

sys.path.insert(0, str(Path(__file__).parent / "trainability"))
sys.path.insert(0, str(Path(__file__).parents[1]))
from configurations import BATCH, DEVELOPED, STEPS, baseline_loss, build, configuration, data_of, loss_of, optimizer_of
from data import N_MEASURED
from train import batches

from initsk import diagnose
from initsk.utils.random import isolated_torch_random
from tests.zoo.operators import define_missing_operators

TABLE = Path(__file__).parent / "results" / "learning_rates.csv"
RATES = tuple(float(f"{10 ** (exponent / 2):.2g}") for exponent in range(-8, 0))
N_NETWORKS = 5
#: A training succeeds if its loss falls below this share of the baseline loss.
SUCCESS = 0.8


def found_by_lightning(found, X, y):
    """Return the rate that `lr_find` suggests with its default settings, NaN if there is none."""
    define_missing_operators()
    import lightning
    from lightning.pytorch.tuner import Tuner

    class Wrapped(lightning.LightningModule):
        def __init__(self):
            super().__init__()
            self.module, self.lr = build(found), 1e-3

        def training_step(self, batch, _):
            return loss_of(self.module(batch[0]), batch[1])

        def configure_optimizers(self):
            return optimizer_of(found | {"lr": self.lr}, self.module.parameters())

    quiet = dict.fromkeys(("logger", "enable_checkpointing", "enable_progress_bar", "enable_model_summary"), False)
    trainer = lightning.Trainer(accelerator="cpu", **quiet)
    loader = DataLoader(TensorDataset(X, y), BATCH, shuffle=True)
    with isolated_torch_random(found["number"]):
        finder = Tuner(trainer).lr_find(Wrapped(), train_dataloaders=loader)
    return np.nan if finder is None or finder.suggestion() is None else finder.suggestion()


def found_by_diagnosis(found, X, y):
    """Return the best rate of the range of a diagnosis, NaN if no rate works."""
    diagnosis = diagnose(
        build(found), X, y, optimizer=lambda parameters: optimizer_of(found | {"lr": 1e-3}, parameters),
        budget=STEPS, batch_size=BATCH, random_state=found["number"],
    )  # fmt: skip
    return diagnosis.rate_range.best


FINDERS = {"lightning": found_by_lightning, "diagnosis": found_by_diagnosis}


def trained(found, X, y, rate):
    """Return the relative loss after training at a rate; infinite if it diverged."""
    module = build(found)
    optimizer = optimizer_of(found | {"lr": rate}, module.parameters())
    with isolated_torch_random(found["number"]):
        for rows in batches(len(X), found["number"]):
            loss = loss_of(module(X[rows]), y[rows])
            if not loss.isfinite():
                return np.inf
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            end = float(loss_of(module.eval()(X[:N_MEASURED]), y[:N_MEASURED]))
    return end / baseline_loss(y) if np.isfinite(end) else np.inf


def networks():
    """Yield configurations of each developed family, as built by torch, with different optimizers."""
    for family in DEVELOPED:
        for number in range(N_NETWORKS):
            yield configuration(family, number) | {"initializer": "as_built", "factor": 1.0}


def rows_of(found, known):
    """Yield a row for each training of a network, but not for what is known."""
    X, y, *_ = data_of(found)
    about = {name: found[name] for name in ("family", "number", "data", "optimizer")}
    for rate in () if "grid" in known else RATES:
        yield about | {"by": "grid", "lr": rate, "loss": trained(found, X, y, rate)}
    for name, find in FINDERS.items():
        if name in known:
            continue
        start = time.perf_counter()
        rate = find(found, X, y)
        seconds = time.perf_counter() - start
        start = time.perf_counter()
        loss = trained(found, X, y, rate) if np.isfinite(rate) else np.inf
        yield about | {"by": name, "lr": rate, "loss": loss, "seconds": seconds,
                       "trainings": seconds / (time.perf_counter() - start)}  # fmt: skip


def report(frame):
    """Print what the suggestions reach against the best rate of the grid."""
    best = frame[frame["by"] == "grid"].groupby(["family", "number"])["loss"].min().rename("best").reset_index()
    trains = best["best"] < SUCCESS
    print(f"{len(best)} networks, {trains.sum()} of them train at some rate")
    found = frame[frame["by"] != "grid"].merge(best)
    can = found[found["best"] < SUCCESS]
    behind = (can["loss"] - can["best"]).clip(upper=1)
    print(
        can.assign(behind=behind, fails=can["loss"] >= SUCCESS)
        .groupby("by")
        .agg(fails=("fails", "sum"), median=("behind", "median"), mean=("behind", "mean"), cost=("trainings", "median"))
    )
    print(found[found["best"] >= SUCCESS][["by", "family", "number", "lr"]])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=TABLE)
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    warnings.simplefilter("ignore")
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    rows = pd.read_csv(options.out).to_dict("records") if options.out.exists() else []
    for found in networks():
        known = {row["by"] for row in rows if (row["family"], row["number"]) == (found["family"], found["number"])}
        if known == {"grid", *FINDERS}:
            continue
        rows += rows_of(found, known)
        pd.DataFrame(rows).to_csv(options.out, index=False, float_format="%.5g")
        print(
            found["family"], found["number"], *(f"{row['lr']:.3g}:{row['loss']:.3g}" for row in rows[-10:]), flush=True
        )
    report(pd.DataFrame(rows))


if __name__ == "__main__":
    main()
