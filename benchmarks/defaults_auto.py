"""Compare "auto" with the initialization that networks of other libraries have, from results/defaults_training.csv.

The score of a training is what it has reached of the way from the baseline loss to 0, in points. Each initialization
has the learning rate, of those with the same seeds for both, at which its mean score is best. Differences are paired by
seed; p-values are adjusted over the networks by Holm's method. Writes results/defaults_auto.csv with a row per network.
"""

import argparse
from pathlib import Path

import pandas as pd
from defaults_training import SUCCESS, TABLE, load

from initsk.comparison.results._inference import holm, mean_interval, paired_p_value

RESULTS = Path(__file__).parent / "results" / "defaults_auto.csv"
LEVEL = 0.05
MIN_SEEDS = 3


def scores(table):
    """Return a row per network, factor of the learning rate and seed, with the scores of both initializations."""
    table = table[table["variant"].isin(["default", "auto"])]
    reached = (1 - table["lowest"] / table["baseline"]).fillna(0).clip(lower=0)
    keys = ["network", "lr_factor", "seed"]
    return table.assign(score=100 * reached).pivot_table(index=keys, columns="variant", values="score").dropna()


def tuned(by_seed, variant):
    """Return the scores of a variant by seed, at the rate with the best mean."""
    rate = by_seed.groupby("lr_factor")[variant].mean().idxmax()
    return by_seed.loc[rate, variant]


def compared(found):
    """Yield a row for each network that trains with one of both, and has enough seeds."""
    for network, rows in found.groupby("network"):
        by_seed = rows.droplevel("network")
        default, auto = tuned(by_seed, "default"), tuned(by_seed, "auto")
        ahead = (auto - default).dropna()
        if len(ahead) < MIN_SEEDS or max(default.mean(), auto.mean()) < 100 * (1 - SUCCESS):
            continue
        low, high = mean_interval(ahead.to_numpy())
        yield {"network": network, "rates": rows.index.get_level_values("lr_factor").nunique(), "seeds": len(ahead),
               "default": default.mean(), "auto": auto.mean(), "ahead": ahead.mean(), "low": low, "high": high,
               "p": paired_p_value(ahead.to_numpy())}  # fmt: skip


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--table", type=Path, default=TABLE)
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    frame = pd.DataFrame(compared(scores(load(options.table))))
    frame["adjusted_p"] = holm(frame["p"].to_numpy())
    frame.to_csv(options.out, index=False, float_format="%.5g")
    worse = frame["ahead"] < 0
    print(f"{len(frame)} networks, mean difference {frame['ahead'].mean():.2f} points")
    for name in ("adjusted_p", "p"):
        is_significant = frame[name] < LEVEL
        print(f"{name} < {LEVEL}: better {(is_significant & ~worse).sum()}, worse {(is_significant & worse).sum()}")
    print(frame[worse & (frame["p"] < LEVEL)].to_string())
    print(frame.nsmallest(12, "ahead").to_string())


if __name__ == "__main__":
    main()
