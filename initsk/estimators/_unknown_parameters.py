"""Errors about parameters that an estimator does not have; they name the parameter with the same meaning."""

import difflib
import inspect
from collections.abc import Iterable, Mapping
from functools import cache, wraps
from typing import Any, TypeVar

from initsk.utils.spelling import meant_name

_Class = TypeVar("_Class", bound=type[Any])
_WEIGHT_DECAY = 'optimizer_params={"weight_decay": '
_BETAS = 'optimizer_params={"betas": (beta_1, beta_2)}'
_SCHEDULE = "callbacks=[skorch.callbacks.LRScheduler(...)]"
#: What the multilayer perceptrons have for the parameters of scikit-learn's, and for usual names of Keras and torch.
OTHER_NAMES = {
    "solver": "optimizer",
    "alpha": f"{_WEIGHT_DECAY}alpha / batch_size}}",
    "learning_rate_init": "lr",
    "learning_rate": f"lr, or {_SCHEDULE} for a schedule",
    "power_t": _SCHEDULE,
    "max_iter": "max_epochs",
    "shuffle": "every epoch shuffles the samples",
    "momentum": 'optimizer_params={"momentum": momentum}',
    "nesterovs_momentum": 'optimizer_params={"nesterov": nesterovs_momentum}',
    "beta_1": _BETAS,
    "beta_2": _BETAS,
    "epsilon": 'optimizer_params={"eps": epsilon}',
    "n_iter_no_change": "patience",
    "max_fun": 'optimizer_params={"max_eval": max_fun} of optimizer="lbfgs"',
    "loss": "a regressor minimizes the squared error, and a classifier the cross-entropy",
    "criterion": "a regressor minimizes the squared error, and a classifier the cross-entropy",
    "metrics": "history_ has the losses, and the accuracy of a classifier; sklearn.metrics has other scores",
    "units": "hidden_layer_sizes",
    "kernel_regularizer": f"{_WEIGHT_DECAY}2 * factor}}",
    "validation_split": "validation_fraction, with early_stopping=True",
    "epochs": "max_epochs",
    "n_epochs": "max_epochs",
    "weight_decay": f"{_WEIGHT_DECAY}weight_decay}}",
    "kernel_initializer": "initializer",
    "dropout_rate": "dropout",
    "seed": "random_state",
    "n_jobs": "n_threads",
}

_MODULE = "an argument of the module, such as module__{}"
#: What skorch's nets have for the parameters of scikit-learn's perceptrons, and for usual names of Keras and torch.
NET_NAMES = {
    "solver": "optimizer",
    "alpha": "optimizer__weight_decay",
    "weight_decay": "optimizer__weight_decay",
    "learning_rate_init": "lr",
    "learning_rate": f"lr, or {_SCHEDULE} for a schedule",
    "power_t": _SCHEDULE,
    "max_iter": "max_epochs",
    "epochs": "max_epochs",
    "n_epochs": "max_epochs",
    "shuffle": "iterator_train__shuffle",
    "momentum": "optimizer__momentum",
    "nesterovs_momentum": "optimizer__nesterov",
    "beta_1": "optimizer__betas",
    "beta_2": "optimizer__betas",
    "epsilon": "optimizer__eps",
    "optimizer_params": "optimizer__NAME for the argument NAME",
    "early_stopping": "callbacks=[skorch.callbacks.EarlyStopping()]",
    "patience": "callbacks=[skorch.callbacks.EarlyStopping(patience=patience)]",
    "n_iter_no_change": "callbacks=[skorch.callbacks.EarlyStopping(patience=n_iter_no_change)]",
    "validation_fraction": "train_split=skorch.dataset.ValidSplit(validation_fraction)",
    "loss": "criterion",
    "metrics": 'callbacks=[skorch.callbacks.EpochScoring("accuracy")]',
    "kernel_initializer": "initializer",
    "kernel_regularizer": "optimizer__weight_decay",
    "validation_split": "train_split=skorch.dataset.ValidSplit(validation_split)",
    "units": _MODULE.format("units"),
    "hidden_layer_sizes": _MODULE.format("hidden_layer_sizes"),
    "activation": _MODULE.format("activation"),
    "dropout": _MODULE.format("dropout"),
    "seed": "random_state",
}


_LAYER_WEIGHTS = "net_.module_.hidden_1.{0}, ..., net_.module_.output.{0}"
#: What the multilayer perceptrons have for the fitted attributes of scikit-learn's.
OTHER_ATTRIBUTES = {
    "coefs_": f"{_LAYER_WEIGHTS.format('weight')}, transposed",
    "intercepts_": _LAYER_WEIGHTS.format("bias"),
    "loss_": 'history_["train_loss"].iloc[-1]',
    "loss_curve_": 'history_["train_loss"]',
    "best_loss_": 'history_["train_loss"].min()',
    "n_iter_": "len(history_)",
    "t_": "len(history_) times the number of samples",
    "n_layers_": "len(hidden_layer_sizes) + 2",
    "out_activation_": "a classifier has logits and softmax (sigmoid for several labels), a regressor the identity",
}
#: The same for the scores of held-out samples, which are the accuracy of a classifier and R2 of a regressor.
CLASSIFIER_ATTRIBUTES = OTHER_ATTRIBUTES | {
    "validation_scores_": 'history_["valid_acc"], with early_stopping=True or X_val',
    "best_validation_score_": 'history_["valid_acc"].max(), with early_stopping=True or X_val',
}
REGRESSOR_ATTRIBUTES = OTHER_ATTRIBUTES | {
    "validation_scores_": 'history_["valid_loss"], the loss in place of R2, with early_stopping=True or X_val',
    "best_validation_score_": (
        'history_["valid_loss"].min(), the loss in place of R2, with early_stopping=True or X_val'
    ),
}


def describe_unknown(names: Iterable[str], known: Iterable[str], others: Mapping[str, str] = OTHER_NAMES) -> str:
    """Return unknown names of parameters, each with the parameter that has its meaning, and the known names.

    Examples
    --------
    >>> describe_unknown(["max_iter", "tool", "x"], ["max_epochs", "tol"])
    "'max_iter' (here: max_epochs), 'tool' (did you mean 'tol'?), 'x'. Allowed: max_epochs, tol"
    """
    known = list(known)
    parts = []
    for name in names:
        meant = name if name in others else _nearest(name, [*known, *others])
        hint = meant and (f"here: {others[meant]}" if meant in others else f"did you mean {meant!r}?")
        parts.append(f"{name!r} ({hint})" if hint else repr(name))
    return f"{', '.join(parts)}. Allowed: {', '.join(known)}"


def _nearest(name: str, known: list[str]) -> str | None:
    """Return the known name that a misspelled one stands for, or one that leaves out a part; None if there is none."""
    meant = meant_name(name, {own: own for own in known})
    return meant or next(iter(difflib.get_close_matches(name, known, n=1, cutoff=0.75)), None)


def check_net_parameters(kind: type, names: Iterable[str], *, only_own: bool = False) -> None:
    """Raise TypeError for keyword arguments of a net of skorch that mean a parameter of another name.

    skorch itself checks the other names when it initializes the net, since a subclass may have more modules.

    Parameters
    ----------
    kind : type
        The class of the net.
    names : iterable of str
        Of the keyword arguments.
    only_own : bool, default=False
        Whether all other unknown names are errors too.
    """
    known = _declared(kind)
    unknown = [name for name in names if name not in known and (name in NET_NAMES or (only_own and _is_plain(name)))]
    if unknown:
        noun = "an unexpected keyword argument" if len(unknown) == 1 else "unexpected keyword arguments"
        raise TypeError(f"{kind.__name__}() got {noun}: {describe_unknown(unknown, known, NET_NAMES)}")


@cache
def _declared(kind: type) -> list[str]:
    """Return the names of the parameters of a class and of its bases."""
    signatures = [inspect.signature(vars(base)["__init__"]) for base in kind.__mro__[:-1] if "__init__" in vars(base)]
    parameters = [parameter for signature in signatures for parameter in signature.parameters.values()]
    variadic = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    names = [parameter.name for parameter in parameters if parameter.kind not in variadic]
    return [name for name in dict.fromkeys(names) if name != "self"]


def _is_plain(name: str) -> bool:
    """Return whether a name is none of a part's argument, of skorch's state, or of an argument without its prefix."""
    prefixes = ("module", "criterion", "optimizer", "iterator", "dataset", "callbacks", "history")
    return "_" not in (name[0], name[-1]) and not name.startswith(prefixes) and "__" not in name


def explain_unknown_parameters(cls: _Class) -> _Class:
    """Decorate a class so that the TypeError for unknown keyword arguments names the parameters that are meant.

    The signature stays that of the constructor, which scikit-learn reads.
    """
    init = cls.__init__
    known = [name for name in inspect.signature(init).parameters if name != "self"]

    @wraps(init)
    def explained(self: Any, *args: Any, **kwargs: Any) -> None:
        unknown = [name for name in kwargs if name not in known]
        if unknown:
            noun = "an unexpected keyword argument" if len(unknown) == 1 else "unexpected keyword arguments"
            raise TypeError(f"{type(self).__name__}() got {noun}: {describe_unknown(unknown, known)}")
        init(self, *args, **kwargs)

    cls.__init__ = explained
    return cls
