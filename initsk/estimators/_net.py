"""skorch's classifier and regressor, with the initializer as a hyperparameter."""

import skorch

from initsk.estimators._with_initializer import WithInitializer


class NeuralNetClassifier(WithInitializer, skorch.NeuralNetClassifier):
    """skorch's NeuralNetClassifier for any torch module, plus an initializer.

    The initializer acts when the net is initialized, so an inspection before ``fit``
    sees the weights that training starts from.

    Parameters
    ----------
    module : torch.nn.Module class or instance
        The network. As in skorch it gives probabilities, unless the criterion takes scores:
        ``criterion=torch.nn.CrossEntropyLoss``.
    *args
        As in ``skorch.NeuralNetClassifier``.
    initializer : str, Initializer, callable or None, default="he_normal"
        What fills the weights; None leaves the module as it was built. One that looks at data
        gets a random batch of 512 samples of what `fit` is given.
    bias_initializer : str, Initializer, callable or None, default=None
        What fills the biases; None means zeros (torch's default draws its own).
    output_initializer : str, Initializer, callable or None, default=None
        What fills the weights of the last layer; None treats it like the others.
    random_state : int, RandomState, Generator or None, default=None
        Seed of weights, validation split, batch order and dropout.
    **kwargs
        As in ``skorch.NeuralNetClassifier``.

    Attributes
    ----------
    initialization_record_ : InitializationRecord
        What the initializer touched (absent with ``initializer=None``).
    diverged_ : bool
        Whether the last training ended because its loss was not finite.

    Examples
    --------
    >>> import torch
    >>> from initsk import NeuralNetClassifier
    >>> net = NeuralNetClassifier(torch.nn.Linear, module__in_features=4, module__out_features=2,
    ...                           initializer="orthogonal", random_state=0).initialize()
    >>> net.initialization_record_.to_frame()["initializer"].tolist()
    ['Orthogonal()', 'Zeros()']
    """


class NeuralNetRegressor(WithInitializer, skorch.NeuralNetRegressor):
    """skorch's NeuralNetRegressor for any torch module, plus an initializer.

    Parameters
    ----------
    module : torch.nn.Module class or instance
        The network.
    *args
        As in ``skorch.NeuralNetRegressor``; y has two dimensions there.
    initializer, bias_initializer, output_initializer, random_state
        As in `NeuralNetClassifier`.
    **kwargs
        As in ``skorch.NeuralNetRegressor``.

    Attributes
    ----------
    initialization_record_ : InitializationRecord
        What the initializer touched (absent with ``initializer=None``).
    diverged_ : bool
        Whether the last training ended because its loss was not finite.

    Examples
    --------
    >>> import numpy as np
    >>> import torch
    >>> from initsk import NeuralNetRegressor
    >>> X = np.linspace(-1, 1, 200, dtype=np.float32).reshape(-1, 1)
    >>> net = NeuralNetRegressor(torch.nn.Linear, module__in_features=1, module__out_features=1,
    ...                          initializer="zeros", lr=0.5, max_epochs=20, random_state=0, verbose=0)
    >>> round(float(net.fit(X, 3 * X).predict(np.ones((1, 1), np.float32))[0, 0]), 1)
    3.0
    """
