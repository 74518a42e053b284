"""
A comparison on your own CSV, and its report
============================================

The program compares initializers on a table with a column to predict, scikit-learn's wines, in a cross-validation of
five folds. The columns are standardized within each fold, and the report is written in English and in Indonesian. On
the shell, ``initsk compare --dataset wines.csv --target cultivar`` runs such a comparison with one held-out set. Writes
``reports/examples/your_own_csv.png``.
"""

import shutil
import tempfile
from pathlib import Path

import pandas as pd
from sklearn.datasets import load_wine
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from initsk import MLPClassifier, compare_initializers
from initsk.comparison import ARTICLE_INITIALIZERS
from initsk.datasets import load_table

COLUMNS = ["initializer", "mean_score", "low", "high", "p_value", "conclusion", "n_needed"]


def write_wines(path):
    wines = load_wine(as_frame=True)
    cultivar = pd.Series(wines.target).map({0: "Barolo", 1: "Grignolino", 2: "Barbera"})
    wines.data.assign(cultivar=cultivar).to_csv(path, index=False)


def main(initializers=ARTICLE_INITIALIZERS, max_epochs=15, n_repeats=3, n_jobs=None):
    with tempfile.TemporaryDirectory() as folder:
        write_wines(Path(folder) / "wines.csv")
        X, y = load_table(Path(folder) / "wines.csv", target="cultivar")
        pipeline = make_pipeline(StandardScaler(), MLPClassifier((32, 32), max_epochs=max_epochs))
        result = compare_initializers(
            pipeline,
            X,
            y,
            initializers=initializers,
            cv=5,
            n_repeats=n_repeats,
            n_jobs=n_jobs,
            about={"dataset": "wines.csv"},
        )
        print(result.summary()[COLUMNS].to_string(index=False, float_format="{:.4f}".format))
        pages = [result.to_html(Path(folder) / f"{language}.html", language=language) for language in ("en", "id")]
        print("\nreports:", ", ".join(f"{page.stat().st_size / 1e3:.0f} kB" for page in pages))
        picture = Path("reports/examples/your_own_csv.png")
        picture.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(Path(folder) / "en_files" / "differences.png", picture)
    return result


if __name__ == "__main__":
    main()
