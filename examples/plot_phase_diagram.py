"""
Order, chaos, and the place of a network between them
=====================================================

In a wide network, the variances of weights and biases determine through how many layers samples remain distinguishable
(Poole et al. 2016, Schoenholz et al. 2017). In the ordered phase, samples become alike and gradients vanish; in the
chaotic phase, gradients explode. The picture shows where five initializers of a deep tanh network lie in the plane of
these variances. The table has the scores of their diagnoses before training. Writes
``reports/examples/phase_diagram.png``.
"""

import pandas as pd
from sklearn.datasets import load_digits

from initsk import MLPClassifier, diagnose
from initsk.displays import PhaseDiagramDisplay
from initsk.initializers import EdgeOfChaos, VarianceScaling

INITIALIZERS = {
    "half of LeCun's": VarianceScaling(0.5),
    "lecun_normal": "lecun_normal",
    "critical, biases 0.05": EdgeOfChaos("tanh", 0.05),
    "he_normal": "he_normal",
    "torch's gain 5/3": VarianceScaling((5 / 3) ** 2),
}


def main(depth=30, width=200, initializers=INITIALIZERS):
    X, y = load_digits(return_X_y=True)
    rows, points = {}, {}
    for label, initializer in initializers.items():
        clf = MLPClassifier(
            (width,) * depth, activation="tanh", initializer=initializer, optimizer="sgd", random_state=0
        )
        diagnosis = diagnose(clf, X / 16, y)
        theory = diagnosis.depth
        points[label] = theory.weight_variance, theory.bias_variance
        rows[label] = (*points[label], theory.phase, theory.reach, diagnosis.score)
    columns = ["weight_variance", "bias_variance", "phase", "reach", "score"]
    table = pd.DataFrame.from_dict(rows, orient="index", columns=columns)
    print(f"{depth} layers of {width} tanh units: reach in layers by theory, score of the diagnosis before training")
    print(table.to_string(float_format="{:.3g}".format))
    print(PhaseDiagramDisplay.from_activation("tanh", points).save("reports/examples/phase_diagram.png", dpi=120))
    return table


if __name__ == "__main__":
    main()
