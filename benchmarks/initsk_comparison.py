"""Run the article's experiment with initsk and without a report, as `plain_skorch.py` does."""

from experiment import load, read_options

from initsk import MLPClassifier, compare_initializers


def main():
    options = read_options()
    X, y, X_test, y_test = load(options.limit)
    result = compare_initializers(
        MLPClassifier((512, 256, 128, 64), max_epochs=options.epochs), X, y, X_val=X_test,
        y_val=y_test, n_repeats=options.repeats, n_jobs=options.jobs,
    )  # fmt: skip
    result.to_csv(options.out)
    print(result.summary()[["initializer", "mean_score"]].to_string())


if __name__ == "__main__":
    main()
