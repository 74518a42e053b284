"""Diagnose the networks of `defaults_training.py` before training, and compare the scores with the trainings.

Default networks that train should have a score of at least 0.5 (false alarms), and networks that are broken on purpose
and do not train should have less (caught). Writes results/defaults_diagnosis.csv with a row for each training, and
prints the rates. Networks in the table are not diagnosed again.
"""

import argparse
from pathlib import Path

import pandas as pd
import torch
from defaults_training import BROKEN, broken, load, optimizer_of

from initsk import diagnose
from tests.zoo.defaults import default_rows
from tests.zoo.table import built, isolated
from tests.zoo.tasks import batch_of, task_of

RESULTS = Path(__file__).parent / "results" / "defaults_diagnosis.csv"
KEY = ["network", "variant", "seed"]


def diagnosed(row, task, variant, seed, **options):
    """Return the score of a network of a variant, and the findings that decide."""
    module = built(row, seed)
    with isolated(seed):
        if variant in BROKEN:
            broken(module, variant)
        X, y = batch_of(task, slice(None))
        diagnosis = diagnose(
            module, X, y, optimizer=optimizer_of(module, task, 1.0), criterion=task.criterion, budget=task.n_steps,
            batch_size=task.batch_size, max_samples=128, random_state=seed, **options,
        )  # fmt: skip
        findings = diagnosis.findings()
    kinds = findings.loc[findings["decides"], "kind"].unique()
    return {"score": diagnosis.score, "kinds": "; ".join(kinds), "trial_loss": diagnosis.trial["loss"].iloc[-1]}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--variants", nargs="+", default=["default", *BROKEN])
    parser.add_argument("--packages", nargs="+")
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    table = load()
    table = table[table["variant"].isin(options.variants) & (table["lr_factor"] == 1)]
    if options.packages:
        table = table[table["package"].isin(options.packages)]
    rows = pd.read_csv(options.out).to_dict("records") if options.out.exists() else []
    known = {tuple(row[name] for name in KEY) for row in rows}
    networks = {row.name: row for row in default_rows()}
    for training in table.sort_values("parameters").to_dict("records"):
        key = tuple(training[name] for name in KEY)
        if key in known or (training["variant"] == "default" and training["seed"] > 0):
            continue
        row = networks[training["network"]]
        try:
            found = diagnosed(row, task_of(row), training["variant"], int(training["seed"]))
        except Exception as error:
            found = {"kinds": f"error: {type(error).__name__}: {error}".splitlines()[0][:150]}
        rows.append(dict(zip(KEY, key, strict=True)) | {"succeeded": training["succeeded"]} | found)
        pd.DataFrame(rows).to_csv(options.out, index=False, float_format="%.4g")
    report(pd.DataFrame(rows))


def report(frame):
    """Print the false alarms among default networks, and how many broken ones are caught."""
    frame = frame.dropna(subset="score")
    default = frame[(frame["variant"] == "default") & frame["succeeded"]]
    print(f"default networks that train: {len(default)}, false alarms: {(default['score'] < 0.5).sum()}")
    print(default[default["score"] < 0.5].to_string())
    failed = frame[(frame["variant"] != "default") & ~frame["succeeded"].astype(bool)]
    print(failed.groupby("variant")["score"].agg(failed="size", caught=lambda score: (score < 0.5).mean()))


if __name__ == "__main__":
    main()
