"""Train the networks of `recommendation_tasks.py` with every initializer, at 5 or 6 learning rates, with 5 seeds.

The rate falls linearly to zero. Each training is a row, which is written at once; after an interruption, the script
continues from there. Processes share the work with --shard and a file for each, and --merge puts the files together:

    python benchmarks/recommendation_training.py --shard 0/2 --out part_0.csv
    python benchmarks/recommendation_training.py --shard 1/2 --out part_1.csv
    python benchmarks/recommendation_training.py --merge part_*.csv
"""

import argparse
import csv
from copy import deepcopy
from pathlib import Path
from time import process_time

import pandas as pd
import torch
from recommendation_tasks import RATES, TASKS, initializers_of, network, samples

from initsk import initialize

# `recommendation_tasks` makes these modules known.
from configurations import batches, loss_of, optimizer_of  # isort: skip

SEEDS = 5
TABLE = Path(__file__).parent / "results" / "recommendation_training.csv"
KEY = ["task", "initializer", "seed", "rate"]
COLUMNS = [*KEY, "valid", "test", "valid_loss", "test_loss", "seconds"]
#: Samples that `initialize` gets, and samples of a forward pass in evaluation.
N_GIVEN, N_AT_ONCE = 32, 500


def units(names, initializers, n_seeds):
    """Return the task, seed and initializer of each group of trainings; the groups differ in all but the rate."""
    chosen = [name for name in TASKS if any(part in name for part in names)]
    return [
        (task, seed, initializer) for task in chosen for seed in range(n_seeds) for initializer in initializers_of(task)
        if not initializers or initializer in initializers
    ]  # fmt: skip


def trained(unit, rates):
    """Yield a row for each rate: the same start and the same batches, trained with other rates."""
    task, seed, initializer = unit
    X, y, *held = samples(task)
    start = network(task, seed)
    if initializer != "default":
        initialize(start, initializer, X=X[:N_GIVEN], random_state=seed)
    for rate in rates:
        began, module = process_time(), deepcopy(start)
        train(module, {**TASKS[task], "lr": rate}, X, y, seed)
        (valid, valid_loss), (test, test_loss) = measured(module, *held[:2]), measured(module, *held[2:])
        values = [task, initializer, seed, rate, valid, test, valid_loss, test_loss, process_time() - began]
        yield dict(zip(COLUMNS, values, strict=True))


def train(module, found, X, y, seed):
    """Train a network; a loss that is not finite ends the training."""
    optimizer = optimizer_of(found, module.parameters())
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 - step / found["steps"])
    for rows in batches(len(X), seed, found["steps"]):
        loss = loss_of(module(X[rows]), y[rows])
        if not loss.isfinite():
            break
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()


def measured(module, X, y):
    """Return the score and the loss of a network: accuracy, or R2 of numbers, in points.

    Outputs that are not finite, and an R2 below zero, count as zero.
    """
    module.eval()
    with torch.no_grad():
        output = torch.cat([module(part) for part in X.split(N_AT_ONCE)])
    loss = float(loss_of(output, y))
    if not output.isfinite().all():
        return 0.0, loss
    if y.is_floating_point():
        return 100 * max(1 - loss / float(y.var(correction=0)), 0.0), loss
    return 100 * float((output.argmax(-1) == y).float().mean()), loss


def merged(paths):
    """Return the rows of all files; of two rows of the same training, that of the later file is kept."""
    frame = pd.concat([pd.read_csv(path) for path in paths]).drop_duplicates(KEY, keep="last")
    order = {name: number for number, name in enumerate(TASKS)}
    return frame.sort_values(KEY, key=lambda column: column.map(order) if column.name == "task" else column)


def print_plan(planned):
    """Print the number of trainings of each task, and the hours, by a training of each task in the middle rate."""
    counts, total, number = pd.Series([task for task, *_ in planned]).value_counts(sort=False), 0.0, 0
    for task, count in counts.items():
        rates = RATES[TASKS[task]["optimizer"]]
        row = next(trained((task, 0, "he_normal"), [rates[2]]))
        total += count * len(rates) * row["seconds"]
        number += count * len(rates)
        print(f"{task:44} {count * len(rates):4} x {row['seconds']:5.2f} s", flush=True)
    print(f"{len(counts)} tasks, {number} trainings, {total / 3600:.2f} hours of one core")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--tasks", nargs="+", default=[""], help="parts of the names of tasks")
    parser.add_argument("--initializers", nargs="+")
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--shard", default="0/1", help="number of this process and number of processes, as in 3/16")
    parser.add_argument("--out", type=Path, default=TABLE)
    parser.add_argument("--merge", nargs="+", type=Path, help="files to put together in --out")
    parser.add_argument("--plan", action="store_true", help="train one network of each task, and print the time of all")
    options = parser.parse_args()
    options.out.parent.mkdir(exist_ok=True)
    if options.merge:
        merged(options.merge).to_csv(options.out, index=False)
        return
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    number, n_shards = map(int, options.shard.split("/"))
    planned = units(options.tasks, options.initializers, options.seeds)
    if options.plan:
        print_plan(planned)
        return
    run(planned[number::n_shards], options.out)


def run(planned, path):
    """Carry out the trainings that are not in the file, and append a row for each."""
    is_new = not path.exists()
    known = set() if is_new else set(pd.read_csv(path)[KEY].itertuples(index=False, name=None))
    with path.open("a", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        if is_new:
            writer.writeheader()
        for done, (task, seed, initializer) in enumerate(planned, 1):
            rates = [r for r in RATES[TASKS[task]["optimizer"]] if (task, initializer, seed, r) not in known]
            for row in trained((task, seed, initializer), rates) if rates else ():
                writer.writerow(row | {name: f"{row[name]:.6g}" for name in COLUMNS[4:]})
                file.flush()
            print(f"{done}/{len(planned)} {task}, {initializer}, seed {seed}", flush=True)


if __name__ == "__main__":
    main()
