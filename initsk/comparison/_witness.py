"""A skorch callback that looks at a net in training, and changes nothing about it."""

from collections.abc import Callable
from math import nan
from typing import Any

from skorch.callbacks import Callback
from skorch.dataset import get_len

from initsk.estimators import MLPClassifier, MLPRegressor
from initsk.exceptions import InvalidParameterError
from initsk.inspection import ActivationSummary, inspect_activations
from initsk.utils._random import isolated_torch_random

# What costs little beside the training; the other measures are columns of NaN.
_MEASURES = ("units",)


class Witness(Callback):
    """Note the losses and the held-out score of every epoch, and the layers before the first.

    Parameters
    ----------
    see : callable
        Returns the estimator that trains, and the held-out X as it reaches it.
    y_test : array-like
        Held-out targets.
    score : callable
        Returns the held-out score of the whole model as it is now.
    activations : bool
        Whether to look at the layers.
    """

    def __init__(self, see: Callable[[], tuple[Any, Any]], y_test: Any, score: Callable[[], float], activations: bool):
        self.see = see
        self.y_test = y_test
        self.score = score
        self.activations = activations
        self.epochs: list[tuple[int, float, float, float]] = []
        self.seconds: list[float] = []
        self.start: ActivationSummary | None = None
        self.dataset: Any = None
        self.has_loss = True

    def on_train_begin(self, net: Any, X: Any = None, y: Any = None, **kwargs: Any) -> None:
        """Look at the layers as they start."""
        if self.activations:
            model, X_test = self.see()
            self.start = look_at_layers(model, X_test)

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        """Note losses and score; what is drawn for it is drawn again in training."""
        model, X_test = self.see()
        last = net.history[-1]
        with isolated_torch_random(None, net.device or "cpu"):
            loss = self._mean_loss(net, model, X_test) if self._prepare(net, model, X_test) else nan
            score = self.score()
        # A net may be told not to note its training loss, or the time.
        self.epochs.append((last["epoch"], float(last.get("train_loss", nan)), loss, float(score)))
        self.seconds.append(float(last.get("dur", nan)))

    def _prepare(self, net: Any, model: Any, X: Any) -> bool:
        """Have the held-out samples as the net takes them; labels that it was not trained on have no loss."""
        if self.dataset is None and self.has_loss:
            is_mlp = isinstance(model, MLPClassifier | MLPRegressor)
            try:
                self.dataset = (model.as_dataset if is_mlp else net.get_dataset)(X, self.y_test)
            except InvalidParameterError:
                self.has_loss = False
        return self.has_loss

    def _mean_loss(self, net: Any, model: Any, X: Any) -> float:
        total, count = 0.0, 0
        for batch in net.get_iterator(self.dataset, training=False):
            n_samples = get_len(batch[0])
            total += float(net.validation_step(batch)["loss"]) * n_samples
            count += n_samples
        return total / count


def look_at_layers(model: Any, X: Any) -> ActivationSummary:
    """Inspect the layers over the held-out samples."""
    return inspect_activations(model, X, measures=_MEASURES)
