"""A skorch callback that looks at a net in training, and changes nothing about it."""

from collections.abc import Callable
from math import nan
from typing import Any

from skorch.callbacks import Callback
from skorch.dataset import get_len

from initsk.comparison._look import Look, glance, look_at_layers, look_at_start
from initsk.estimators import MLPClassifier, MLPRegressor
from initsk.exceptions import InvalidParameterError
from initsk.utils._random import isolated_torch_random

_MOST_STAGES = 4


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
        Whether to look at the layers before and after training.
    on_the_way : bool
        Whether to look at them after some of the epochs as well.

    Attributes
    ----------
    looks : list of (phase, epoch, Look)
    """

    def __init__(
        self,
        see: Callable[[], tuple[Any, Any]],
        y_test: Any,
        score: Callable[[], float],
        activations: bool,
        on_the_way: bool,
    ) -> None:
        self.see = see
        self.y_test = y_test
        self.score = score
        self.activations = activations
        self.on_the_way = on_the_way
        self.epochs: list[tuple[int, float, float, float]] = []
        self.seconds: list[float] = []
        self.looks: list[tuple[str, int, Look]] = []
        self.dataset: Any = None
        self.has_loss = True

    def on_train_begin(self, net: Any, X: Any = None, y: Any = None, **kwargs: Any) -> None:
        """Look at the layers as they start."""
        if self.activations:
            has_loss = self._prepare(net, *self.see())
            self.looks.append(("initialized", 0, look_at_start(*self.see(), self.y_test if has_loss else None)))

    def look_at_the_end(self) -> None:
        """Look at the layers as they are now, unless nobody wants to know."""
        if self.activations:
            self.looks.append(("trained", len(self.epochs), look_at_layers(*self.see())))

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
        if self.activations and self.on_the_way and last["epoch"] in stages(net.max_epochs):
            self.looks.append(("training", last["epoch"], glance(model, X_test)))

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


def stages(n_epochs: int) -> list[int]:
    """Return after which epochs on the way to look: all of them, or some at equal distances.

    Examples
    --------
    >>> stages(5), stages(1)
    ([1, 2, 3, 4], [])
    >>> stages(100)
    [20, 40, 60, 80]
    """
    count = min(n_epochs - 1, _MOST_STAGES)
    return [round(n_epochs * (i + 1) / (count + 1)) for i in range(count)]
