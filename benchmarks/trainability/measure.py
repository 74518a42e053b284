"""Measure the networks of `configurations.py` before training: trials of 8, 32 and 128 steps, and yardsticks.

Writes results/trainability_measured.csv with a row for each network and length of the trial: the values that features
of the score are made of (`initsk.diagnosis.TrialValues`), learning rate, baseline loss, and other scores of untrained
networks. Networks in the table are not measured again. It takes about 20 minutes on one core.
"""

import argparse
from dataclasses import asdict
from pathlib import Path

import pandas as pd
import torch
from configurations import BATCH, FAMILIES, build, configuration, data_of, optimizer_of
from yardsticks import naswot, synflow

from initsk.diagnosis import measure_trials

TABLE = Path(__file__).parents[1] / "results" / "trainability_measured.csv"
LENGTHS = (8, 32, 128)


def measured(family, number):
    """Yield the values of a network for each length of the trial."""
    found = configuration(family, number)
    X, y, *_ = data_of(found)
    module = build(found)
    others = {"naswot": naswot(module, X[:BATCH]), "synflow": synflow(module, X[:1])}
    trials = measure_trials(
        module, X, y, LENGTHS, optimizer=lambda parameters: optimizer_of(found, parameters), batch_size=BATCH,
        random_state=number + 1,
    )  # fmt: skip
    for question, values, baseline in trials:
        yield {
            "family": family, "number": number, "lr": question.lr, "is_adaptive": question.is_adaptive,
            "baseline": baseline, **asdict(values), **others,
        }  # fmt: skip


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--families", nargs="+", default=list(FAMILIES))
    parser.add_argument("--out", type=Path, default=TABLE)
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    rows = pd.read_csv(options.out).to_dict("records") if options.out.exists() else []
    known = {(row["family"], row["number"]) for row in rows}
    for family in options.families:
        for number in range(FAMILIES[family]):
            if (family, number) not in known:
                rows += measured(family, number)
            if number % 20 == 19 or number == FAMILIES[family] - 1:
                pd.DataFrame(rows).to_csv(options.out, index=False, float_format="%.6g")
        print(family, flush=True)


if __name__ == "__main__":
    main()
