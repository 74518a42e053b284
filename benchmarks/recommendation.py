"""Compare "auto" with the best other initializer of each task, and with the network's default.

Reads the table of `recommendation_training.py`. For each task, initializer and seed, the training with the best score
on validation samples is taken; its score on test samples is the score of the initializer. The best of many noisy scores
looks better than it is. Therefore the best other initializer is chosen for each seed by the mean validation score of
the other seeds, and its test score with this seed is compared with that of "auto". Differences are paired by seed.

Writes results/recommendation.csv (a row per task), results/recommendation_scores.csv (a row per task and initializer)
and results/recommendation.png, and puts the tables into README.md.
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from recommendation_tasks import RATES, TASKS, initializers_of
from recommendation_training import TABLE

from initsk.comparison.results._inference import holm, mean_interval, paired_p_value

FOLDER = Path(__file__).parent
LEVEL = 0.05
TICKS = (-30, -10, -3, -1, -0.3, 0, 0.3, 1, 3, 10, 30)


def tuned(table):
    """Return the training with the best validation score for each task, initializer and seed."""
    best = table.loc[table.groupby(["task", "initializer", "seed"])["valid"].idxmax()]
    ends = best["task"].map(lambda task: (min(rates := RATES[TASKS[task]["optimizer"]]), max(rates)))
    return best.assign(at_end=[rate in pair for rate, pair in zip(best["rate"], ends, strict=True)])


def complete(best):
    """Return the tasks in which each initializer has the same seeds, two at least, in the order of the tasks."""
    found = []
    for task in TASKS:
        seeds = best[best["task"] == task].groupby("initializer")["seed"].agg(frozenset)
        if set(seeds.index) == set(initializers_of(task)) and len(set(seeds)) == 1 and len(seeds.iloc[0]) > 1:
            found.append(task)
    return found


def summary(values):
    """Return the mean of some values with the ends of its interval of 95 %."""
    return (float(np.mean(values)), *mean_interval(np.asarray(values, float)))


def scores(best, tasks):
    """Yield the mean test score of each initializer on each task, with its interval."""
    for task in tasks:
        of_task = best[best["task"] == task]
        for initializer in initializers_of(task):
            rows = of_task[of_task["initializer"] == initializer]
            mean, low, high = summary(rows["test"])
            yield {"task": task, "initializer": initializer, "mean": mean, "low": low, "high": high,
                   "valid": rows["valid"].mean(), "rates_at_end": rows["at_end"].mean()}  # fmt: skip


def best_of_others(valid, test):
    """Return the test score of the best other initializer with each seed, chosen by validation with other seeds."""
    others = valid.columns.drop("auto")
    chosen = [valid.loc[valid.index != seed, others].mean().idxmax() for seed in valid.index]
    return np.array([test.loc[seed, name] for seed, name in zip(valid.index, chosen, strict=True)])


def compared(best, task):
    """Return the comparisons of "auto" on a task: scores, and differences with intervals and p-values."""
    of_task = best[best["task"] == task]
    valid, test = (of_task.pivot_table(index="seed", columns="initializer", values=part) for part in ("valid", "test"))
    other, auto, default = best_of_others(valid, test), test["auto"].to_numpy(), test["default"].to_numpy()
    found = {"task": task, "family": TASKS[task]["family"], "data": TASKS[task]["data"], "seeds": len(test),
             "auto": auto.mean(), "default": default.mean(), "best": valid.mean().drop("auto").idxmax(),
             "best_score": other.mean()}  # fmt: skip
    for name, differences in (("behind_best", other - auto), ("ahead_of_default", auto - default)):
        found |= dict(zip((name, f"{name}_low", f"{name}_high"), summary(differences), strict=True))
        found[f"{name}_p"] = paired_p_value(differences)
    return found


def evaluated(best, tasks):
    """Return a row for each task; p-values are adjusted over the tasks by Holm's method."""
    frame = pd.DataFrame([compared(best, task) for task in tasks])
    for name in ("behind_best", "ahead_of_default"):
        frame[f"{name}_adjusted_p"] = holm(frame[f"{name}_p"].to_numpy(float))
    return frame


def totals(frame):
    """Return the figures of all tasks by name."""
    behind, ahead, best_p = frame["behind_best"], frame["ahead_of_default"], frame["behind_best_adjusted_p"]
    worse, sure = ahead < 0, frame["ahead_of_default_adjusted_p"] < LEVEL
    return {
        "tasks": len(frame),
        "behind the best, mean": "{:.2f} ({:.2f} to {:.2f})".format(*summary(behind)),
        "behind the best, at most": f"{behind.max():.2f}",
        "more than 0.3 points behind the best": int((behind > 0.3).sum()),
        "more than 0.3 points behind the best, by the whole interval": int((frame["behind_best_low"] > 0.3).sum()),
        "significantly behind the best": int(((behind > 0) & (best_p < LEVEL)).sum()),
        "ahead of the default, mean": "{:.2f} ({:.2f} to {:.2f})".format(*summary(ahead)),
        "significantly better than the default": int((~worse & sure).sum()),
        "significantly worse than the default": int((worse & sure).sum()),
        "worse than the default with p < 0.05 before Holm": int((worse & (frame["ahead_of_default_p"] < LEVEL)).sum()),
    }


def tables(frame, means):
    """Return the tables of README.md by name, as lists of rows of texts."""
    total = [["figure", "value"], *([name, str(value)] for name, value in totals(frame).items())]
    names = ["task", "auto", "default", "best other", "its score", "behind it", "ahead of the default", "adjusted p"]
    tasks = [names]
    for row in frame.itertuples():
        tasks.append(
            [
                row.task, f"{row.auto:.2f}", f"{row.default:.2f}", row.best, f"{row.best_score:.2f}",
                f"{row.behind_best:.2f} ({row.behind_best_low:.2f} to {row.behind_best_high:.2f})",
                f"{row.ahead_of_default:.2f} ({row.ahead_of_default_low:.2f} to {row.ahead_of_default_high:.2f})",
                p_text(row.ahead_of_default_adjusted_p),
            ]
        )  # fmt: skip
    every = [["initializer", "tasks", "mean", '"auto" on these tasks', 'more than 3 points behind "auto"']]
    for row in by_initializer(means).itertuples():
        every.append([row.Index, str(row.tasks), f"{row.mean:.2f}", f"{row.auto:.2f}", str(row.far_behind)])
    return {"recommendation": total, "recommendation by task": tasks, "recommendation by initializer": every}


def p_text(value):
    """Return a p-value as a text; equal differences other than zero have none."""
    return "none" if np.isnan(value) else "< 0.001" if value < 0.001 else f"{value:.3f}"


def by_initializer(means):
    """Return the mean score of each initializer over its tasks, and that of "auto" on the same tasks."""
    wide = means.pivot_table(index="task", columns="initializer", values="mean")
    rows = {}
    for name in wide:
        own, auto = wide[name].dropna(), wide.loc[wide[name].notna(), "auto"]
        rows[name] = [len(own), own.mean(), auto.mean(), int((own < auto - 3).sum())]
    frame = pd.DataFrame.from_dict(rows, orient="index", columns=["tasks", "mean", "auto", "far_behind"])
    return frame.loc[(frame["auto"] - frame["mean"]).sort_values().index]


def filled(text, name, rows):
    """Return a text with the table under a mark replaced."""
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    lines.insert(1, "| " + " | ".join(["---"] * len(rows[0])) + " |")
    before, mark, after = text.partition(f"<!-- figures: {name} -->\n")
    if not mark:
        raise ValueError(f"README.md has no mark for the table {name!r}")
    old, _, rest = after.partition("\n\n")
    return before + mark + "\n".join(lines) + "\n\n" + (rest if old.startswith("|") or not old else after)


def draw(frame, path):
    """Draw for each task how far "auto" is ahead of the default and of the best other initializer, with intervals."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 1.6 + 0.22 * len(frame)), layout="constrained")
    panels = figure.subplots(1, 2, sharex=True, sharey=True)
    sides = {"behind_best": (-1, "the best other initializer"), "ahead_of_default": (1, "the network's default")}
    for axes, (name, (sign, words)) in zip(panels, sides.items(), strict=True):
        low, mean, high = (sign * frame[f"{name}{end}"] for end in ("_low", "", "_high"))
        low, high = np.minimum(low, high), np.maximum(low, high)
        rows = range(len(frame))
        axes.hlines(rows, low, high, color="#0072B2", linewidth=1.2)
        axes.plot(mean, rows, "o", color="#0072B2", markersize=4)
        axes.axvline(0, color="#808080", linewidth=0.8)
        axes.set_xscale("symlog", linthresh=0.3, linscale=0.8)
        axes.set_xticks(TICKS, [f"{tick:g}" for tick in TICKS])
        axes.set_xticks([], minor=True)
        axes.set_title(f'"auto" minus {words}, in points', fontsize=10)
        axes.grid(axis="x", color="#E0E0E0", linewidth=0.6)
    panels[0].axvline(-0.3, color="#D55E00", linewidth=0.8, linestyle=":")
    panels[0].set_yticks(range(len(frame)), frame["task"], fontsize=8)
    panels[0].invert_yaxis()
    figure.savefig(path, dpi=110)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--table", nargs="+", type=Path, default=[TABLE])
    parser.add_argument("--out", type=Path, default=FOLDER / "results")
    parser.add_argument("--readme", type=Path, default=FOLDER / "README.md")
    options = parser.parse_args()
    best = tuned(pd.concat([pd.read_csv(path) for path in options.table], ignore_index=True))
    tasks = complete(best)
    frame, means = evaluated(best, tasks), pd.DataFrame(scores(best, tasks))
    options.out.mkdir(exist_ok=True)
    frame.to_csv(options.out / "recommendation.csv", index=False, float_format="%.5g")
    means.to_csv(options.out / "recommendation_scores.csv", index=False, float_format="%.5g")
    draw(frame, options.out / "recommendation.png")
    text = options.readme.read_text("utf-8")
    for name, rows in tables(frame, means).items():
        text = filled(text, name, rows)
        print(*(" | ".join(row) for row in rows), "", sep="\n")
    options.readme.write_text(text, "utf-8")
    left_out = [task for task in TASKS if task not in tasks]
    print(f"left out, because trainings are missing: {', '.join(left_out) or 'none'}")
    print(f"best rates at an end of the grid: {100 * means['rates_at_end'].mean():.0f} %")


if __name__ == "__main__":
    main()
