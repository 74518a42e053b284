"""What must be the same for two comparisons to share their runs, in words."""

import json
import platform
from typing import Any

import numpy as np
import sklearn
import skorch
import torch
from joblib import cpu_count

from initsk._version import __version__
from initsk.comparison._data import Data
from initsk.comparison._describe import describe
from initsk.comparison._design import Task
from initsk.comparison._run import Experiment
from initsk.comparison._subject import Subject

_DATA = ("X", "y", "X_test", "y_test")
_VERSION = "version of "
# Set for every run, told by their parts, or without effect on the numbers.
_NOT_OWN = ("random_state", "n_threads", "steps", "memory", "verbose")


def versions() -> dict[str, str]:
    """Return the versions of what the numbers depend on."""
    parts = [("Python", platform.python_version()), ("initsk", __version__)]
    return dict(parts) | {part.__name__: part.__version__ for part in (torch, np, sklearn, skorch)}


def hardware() -> str:
    """Return in short on what the runs are carried out."""
    return f"{platform.system()} {platform.machine()}, {cpu_count()} CPUs"


def identify(experiment: Experiment, data: Data, varied: list[str], **given: Any) -> dict[str, str]:
    """Return what all runs have in common, each part under the name that a user knows it by.

    `data` are as they were given, before anything was held out; `varied` are the parameters that differ from run to
    run; other arguments of the comparison are described as they are.
    """
    estimator = experiment.subject.estimator
    return {
        "estimator": describe(type(estimator)),
        **_parameters(experiment.subject, varied),
        **dict.fromkeys(varied, "compared or in the grid"),
        **{name: describe(value) for name, value in given.items()},
        "n_threads": str(experiment.n_threads),
        "activations": str(experiment.activations),
        **{name: describe(getattr(data, name)) for name in _DATA},
        **{f"{_VERSION}{name}": number for name, number in versions().items()},
    }


def in_every_row(identity: dict[str, str]) -> dict[str, str]:
    """Return data and versions as each row of a store names them, for who reads it with other tools."""
    data = {name: identity[name] for name in _DATA}
    numbers = {name: number for name, number in identity.items() if name.startswith(_VERSION)}
    return {"data": json.dumps(data), "versions": json.dumps(numbers)}


def identify_run(task: Task) -> str:
    """Return what one run is made of, beside what all have in common."""
    block = task.block
    return describe({"params": task.candidate.params, "seed": block.seed, "train": block.train, "test": block.test})


def _parameters(subject: Subject, varied: list[str]) -> dict[str, str]:
    found = subject.estimator.get_params()
    described = {}
    for name, value in found.items():
        if name in varied or name.startswith(tuple(f"{given}__" for given in varied)):
            continue
        if name.rpartition("__")[2] in _NOT_OWN:
            continue
        has_parts = any(other.startswith(f"{name}__") for other in found)
        # Parts are described under their own names.
        described[name] = describe(type(value) if has_parts else value)
    return described


def differences(there: dict[str, str], here: dict[str, str]) -> list[str]:
    """Say what differs, a sentence each.

    Examples
    --------
    >>> differences({"lr": "0.1"}, {"lr": "0.2"})
    ['lr is 0.1 there and 0.2 here']
    """
    names = [*here, *(name for name in there if name not in here)]
    return [
        f"{name} is {_short(there.get(name))} there and {_short(here.get(name))} here"
        for name in names
        if there.get(name) != here.get(name)
    ]


def _short(text: str | None) -> str:
    return "not given" if text is None else text if len(text) <= 80 else f"{text[:77]}..."
