"""Tables as people have them: scikit-learn's own data sets, written as files of different forms."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn import datasets


def _frame(name: str) -> pd.DataFrame:
    """Return a data set of scikit-learn with its target as the last column, classes by their names."""
    loaded = getattr(datasets, f"load_{name}")(as_frame=True)
    frame = loaded.frame.copy()
    if name in ("iris", "wine", "breast_cancer"):
        frame["target"] = loaded.target_names[loaded.target]
    return frame


def strings() -> pd.DataFrame:
    frame = _frame("wine")
    frame.insert(0, "shade", pd.cut(frame.pop("color_intensity"), 4, labels=["pale", "light", "deep", "dark"]))
    return frame.astype({"shade": str})


def gaps() -> pd.DataFrame:
    frame = _frame("breast_cancer")
    holes = np.random.default_rng(0).random(frame.shape) < 0.1
    holes[:, -1] = False
    return frame.mask(holes)


def dates() -> pd.DataFrame:
    frame = _frame("iris")
    frame.insert(2, "measured", pd.date_range("2024-01-01", periods=len(frame)).astype(str))
    return frame


def imbalance() -> pd.DataFrame:
    frame = _frame("breast_cancer")
    rare = frame[frame["target"] == "malignant"][:20]
    return pd.concat([rare, frame[frame["target"] == "benign"]]).sample(frac=1, random_state=0)


def continuous() -> pd.DataFrame:
    return _frame("diabetes")


def index() -> pd.DataFrame:
    return _frame("digits")


def rows() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(100_000, 5)), columns=[f"sensor_{i}" for i in range(5)])
    frame["fault"] = np.where(frame["sensor_0"] * frame["sensor_1"] > 0.5, "yes", "no")
    return frame.round(4)


def columns() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(300, 2000)), columns=[f"gene_{i}" for i in range(2000)]).round(3)
    return frame.assign(tumor=(frame.iloc[:, :20].sum(axis=1) > 0).astype(int))


def everything() -> pd.DataFrame:
    """Return text, gaps and booleans beside numbers."""
    frame = _frame("diabetes").round(4)
    rng = np.random.default_rng(0)
    frame["sex"] = np.where(frame["sex"] > 0, "w", "m")
    frame["smoker"] = rng.random(len(frame)) < 0.3
    frame["bmi"] = frame["bmi"].mask(rng.random(len(frame)) < 0.2)
    frame.insert(0, "city", rng.choice(["Ulm", "Köln", "Bad, Aibling"], len(frame)))
    return frame.assign(city=frame["city"].mask(rng.random(len(frame)) < 0.2))


def categories() -> pd.DataFrame:
    frame = _frame("iris").astype({"target": "category"})
    return frame.assign(length=pd.cut(frame["petal length (cm)"], 3, labels=["short", "middle", "long"]))


def to_arff(frame: pd.DataFrame, path: Path) -> None:
    """Write a table of numbers and text as an ARFF file."""
    lines = ["@relation table"]
    for name in frame:
        values = frame[name]
        kind = "numeric" if values.dtype.kind in "if" else "{" + ",".join(sorted(set(values))) + "}"
        lines.append(f"@attribute '{name}' {kind}")
    path.write_text("\n".join([*lines, "@data", frame.to_csv(index=False, header=False, na_rep="?")]))


def _to_csv(frame: pd.DataFrame, path: Path) -> None:
    frame.to_csv(path, index=False)


# The frame, how it is written, and the column to predict.
TABLES: dict[str, tuple[Callable[[], pd.DataFrame], Callable[[pd.DataFrame, Path], object], str]] = {
    "strings.csv": (strings, _to_csv, "target"),
    "gaps.csv": (gaps, _to_csv, "target"),
    "dates.csv": (dates, _to_csv, "target"),
    "imbalance.csv": (imbalance, _to_csv, "target"),
    "continuous.csv": (continuous, _to_csv, "target"),
    "semicolons.csv": (lambda: _frame("wine"), lambda frame, path: frame.to_csv(path, index=False, sep=";"), "target"),
    "commas.csv": (
        lambda: _frame("iris"), lambda frame, path: frame.to_csv(path, index=False, sep=";", decimal=","), "target",
    ),
    "index.csv": (index, lambda frame, path: frame.to_csv(path), "target"),
    "rows.csv": (rows, _to_csv, "fault"),
    "columns.csv": (columns, _to_csv, "tumor"),
    "everything.csv": (everything, lambda frame, path: frame.to_csv(path, sep=";", decimal=","), "target"),
    "small.tsv": (
        lambda: _frame("linnerud")[["Chins", "Situps", "Jumps", "Weight"]],
        lambda frame, path: frame.to_csv(path, index=False, sep="\t"), "Weight",
    ),
    "packed.csv.gz": (gaps, lambda frame, path: frame.to_csv(path), "target"),
    "categories.parquet": (categories, lambda frame, path: frame.to_parquet(path), "target"),
    "strings.arff": (strings, to_arff, "target"),
}  # fmt: skip


def write(name: str) -> str:
    """Write a table into the working directory and return the column to predict."""
    make, write_frame, target = TABLES[name]
    write_frame(make(), Path(name))
    return target
