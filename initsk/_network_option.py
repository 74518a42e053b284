"""What NETWORK stands for on the command line: a function in a module or in a file, or a saved module."""

import importlib
import importlib.util
import pickle
import sys
from pathlib import Path
from typing import Any

from initsk.exceptions import InvalidParameterError
from initsk.utils._validation import unknown_name

_ALLOWED = "allowed: package.module:factory, file.py:factory, or a module saved by torch.save in a .pt or .pth file"


def load_network(network: str) -> Any:
    """Return the module or estimator that is meant.

    The file or the module's code is run: it must be one's own. A factory is called without arguments; what is
    a module or an estimator already is taken as it is.

    Raises
    ------
    InvalidParameterError
        If it cannot be found or made.
    """
    place, _, name = network.rpartition(":")
    path = Path(network)
    if path.suffix.lower() in (".pt", ".pth") and path.is_file():
        return _saved(path)
    if not place or not name:
        raise InvalidParameterError(f"NETWORK {network!r} is not to be found ({_ALLOWED})")
    module = _imported(place)
    if not hasattr(module, name):
        names = [known for known, value in vars(module).items() if not known.startswith("_") and callable(value)]
        raise InvalidParameterError(f"{place}: {unknown_name('factory', name, names)}")
    found = getattr(module, name)
    if (hasattr(found, "parameters") and not isinstance(found, type)) or hasattr(found, "get_params"):
        return found if not isinstance(found, type) else _made(network, found)
    return _made(network, found)


def _made(network: str, factory: Any) -> Any:
    if not callable(factory):
        raise InvalidParameterError(f"{network} is a {type(factory).__name__}, and no function that makes a network")
    try:
        return factory()
    except Exception as error:  # whatever a stranger's code raises
        raise InvalidParameterError(f"{network} raised {type(error).__name__}: {error}") from error


def _imported(place: str) -> Any:
    path = Path(place)
    try:
        if path.suffix == ".py":
            return _run(path)
        # As with python -m: what lies in this folder can be imported.
        sys.path.insert(0, "")
        try:
            return importlib.import_module(place)
        finally:
            sys.path.remove("")
    except Exception as error:  # whatever a stranger's code raises
        raise InvalidParameterError(f"{place} cannot be imported ({type(error).__name__}: {error})") from error


def _run(path: Path) -> Any:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None or not path.is_file():
        raise FileNotFoundError("there is no such file")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _saved(path: Path) -> Any:
    import torch

    try:
        found = torch.load(path, map_location="cpu", weights_only=False)
    except (OSError, RuntimeError, EOFError, AttributeError, ImportError, pickle.UnpicklingError) as error:
        raise InvalidParameterError(f"{path} cannot be read ({type(error).__name__}: {error})") from error
    if not isinstance(found, torch.nn.Module):
        raise InvalidParameterError(
            f"{path} holds a {type(found).__name__}, and no module (allowed: torch.save(module))"
        )
    return found
