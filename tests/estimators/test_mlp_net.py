"""The nets of the perceptrons: callbacks end the training, and interrupts reach the caller."""

import signal

import pytest
import skorch
import torch
from sklearn.model_selection import GridSearchCV

from tests.estimators.support import small


@pytest.mark.usefixtures("interruptible")
def test_a_keyboard_interrupt_reaches_the_caller(iris):
    class Interrupted(torch.optim.SGD):
        def step(self, closure):
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        small(optimizer=Interrupted).fit(*iris)

    def evaluate():
        signal.raise_signal(signal.SIGINT)

    class Evaluating(skorch.callbacks.Callback):
        def on_epoch_end(self, net, **kwargs):
            evaluate()

    with pytest.raises(KeyboardInterrupt):
        small(callbacks=[Evaluating()]).fit(*iris)


@pytest.mark.usefixtures("interruptible")
def test_an_interrupt_raised_by_code_that_a_callback_calls_reaches_the_caller(iris):
    handlers = []

    def evaluate():
        handlers.append(signal.getsignal(signal.SIGINT))
        raise KeyboardInterrupt

    class Evaluating(skorch.callbacks.Callback):
        def on_epoch_end(self, net, **kwargs):
            evaluate()

    with pytest.raises(KeyboardInterrupt):
        small(callbacks=[Evaluating()]).fit(*iris)
    # A fit does not replace the handler of the signal.
    assert handlers == [signal.default_int_handler]


def test_callbacks_can_end_the_training(iris):
    # The loss never improves by a factor of 10, so that patience ends after the third epoch.
    stopping = skorch.callbacks.EarlyStopping(monitor="train_loss", patience=2, threshold=10, sink=None)
    clf = small(max_epochs=9, callbacks=[stopping]).fit(*iris)
    assert len(clf.net_.history) == 3
    search = GridSearchCV(small(max_epochs=9, callbacks=[stopping]), {"lr": [0.1, 0.01]}, cv=2, error_score="raise")
    assert len(search.fit(*iris).best_estimator_.net_.history) == 3
