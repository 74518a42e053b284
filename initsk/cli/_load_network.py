"""Loading the module or estimator that NETWORK names: from Python code, or from a file that torch wrote."""

import importlib
import os
import runpy
import struct
import sys
import tarfile
import zipfile
import zlib
from inspect import isfunction, signature
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any, BinaryIO

from initsk.exceptions import DataFormatError, InvalidParameterError
from initsk.network import has_network
from initsk.text import brief
from initsk.utils.files import open_regular
from initsk.utils.random import isolated_random, random_states
from initsk.utils.validation import unknown_name
from initsk.utils.words import named_reason, reason_of

_MAX_SHOWN = 80
# The first byte of a pickle of the protocols that torch writes.
_PICKLE = b"\x80"
_ALLOWED = "allowed: package.module:factory, file.py:factory, or a .pt or .pth file that torch.save wrote"
# The errors of zipfile for damaged archives, besides its own.
_ZIP_FAULTS = (OSError, EOFError, ValueError, RuntimeError, LookupError, OverflowError, struct.error, zlib.error)


def load_network(network: str, seed: int) -> Any:
    """Return the module or estimator that NETWORK names.

    The code of the file or module is run, so use only files that you trust. A factory is called without arguments; an
    object that is a module or an estimator already is returned as it is. The code draws its random numbers from
    `seed`, and so do estimators without a random state of their own. The code can import modules of the working
    directory, as with ``python -m``.

    Raises
    ------
    InvalidParameterError
        If the network cannot be found or made.
    """
    # A file of torch has no code but the names of classes, which are imported.
    sys.path.insert(0, "")
    try:
        with isolated_random(seed):
            return _seeded(_found(network), seed)
    finally:
        sys.path.remove("")


def _seeded(model: Any, seed: int) -> Any:
    """Return an estimator whose random states are the seed where they are None, and any other model as it is."""
    if hasattr(model, "parameters") or not hasattr(model, "get_params"):
        return model
    free = [name for name, value in random_states(model).items() if value is None]
    if free:
        model.set_params(**dict.fromkeys(free, seed))
    return model


def _found(network: str) -> Any:
    path = Path(network)
    if path.suffix.lower() in (".pt", ".pth") and os.path.lexists(path):
        return _load_saved(path)
    # In two steps and not by pkgutil.resolve_name: a file can be named, and a wrong factory gets the nearest name.
    place, _, name = network.rpartition(":")
    if network.endswith(".py") and os.path.exists(network):
        names = ", ".join(f"{network}:{known}" for known in _usable_names(_import(network)))
        raise InvalidParameterError(
            f"NETWORK {network!r} lacks :factory, the name of a function without arguments in the file"
            f" (allowed here: {names or 'none, the file has no such function'})"
        )
    if not place or not name:
        raise InvalidParameterError(f"NETWORK {network!r} cannot be found ({_ALLOWED})")
    module = _import(place)
    if not hasattr(module, name):
        raise InvalidParameterError(f"{place}: {unknown_name('factory', name, _usable_names(module))}")
    found = getattr(module, name)
    if not isinstance(found, type) and (hasattr(found, "parameters") or hasattr(found, "get_params")):
        return found
    if not callable(found):
        raise InvalidParameterError(
            f"{network} has the type {type(found).__name__} (allowed: a module, an estimator, or a function)"
        )
    try:
        made = found()
    except Exception as error:  # the user's code may raise anything
        raise InvalidParameterError(f"{network} raised {type(error).__name__}: {error}") from error
    # An estimator of another kind has its network somewhere inside.
    is_model = hasattr(made, "parameters") or hasattr(made, "get_params") or has_network(made)
    if not is_model or isinstance(made, type):
        returned = f"{network} returned {brief(repr(made), _MAX_SHOWN)}"
        raise InvalidParameterError(f"{returned} of the type {type(made).__name__} (allowed: a module or an estimator)")
    return made


def _usable_names(module: Any) -> list[str]:
    """Return the names of the modules, the estimators, and what makes one without arguments."""
    return [name for name, value in vars(module).items() if not name.startswith("_") and _is_usable(value)]


def _is_usable(value: Any) -> bool:
    is_model = hasattr(value, "parameters") or hasattr(value, "get_params")
    if not isinstance(value, type) and is_model:
        return True
    if not isfunction(value) and not (isinstance(value, type) and is_model):
        return False
    return all(
        parameter.default is not parameter.empty or parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
        for parameter in signature(value).parameters.values()
    )


def _import(place: str) -> Any:
    """Return the module of a dotted name, or the names that a file defines."""
    if place.endswith(".py") and os.path.exists(place):
        # Python would wait for a pipe.
        open_regular(place).close()
    try:
        if place.endswith(".py"):
            if not os.path.exists(place):
                raise FileNotFoundError("there is no such file")
            return SimpleNamespace(**runpy.run_path(place))
        return importlib.import_module(place)
    except Exception as error:  # the user's code may raise anything
        raise InvalidParameterError(f"{place} cannot be imported ({type(error).__name__}: {error})") from error


def _load_saved(path: Path) -> Any:
    """Return the module that torch.save wrote; no code of a damaged file, or of one with only tensors, runs."""
    import torch

    with open_regular(path) as file:
        content: BinaryIO = file
        if zipfile.is_zipfile(file):
            _check_archive(path, file)
        else:
            # The format before torch 1.6. From memory, no more is read than the file has, whatever it states.
            file.seek(0)
            content = BytesIO(file.read())
            # A pickle begins with its protocol; text would be taken for old instructions.
            if content.getvalue()[:1] != _PICKLE and not tarfile.is_tarfile(content):
                raise DataFormatError(f"{path} is not a file that torch.save wrote (allowed: torch.save(module))")
        try:
            found = _load(content, weights_only=True)
        except Exception:  # a module is more than tensors, and a damaged file may raise anything
            try:
                found = _load(content, weights_only=False)
            except Exception as error:  # the code in the file may raise anything
                problem = f"{named_reason(error)}); code in the file may have run{_next_step(error)}"
                raise DataFormatError(f"{path} cannot be read ({problem}") from error
    if not isinstance(found, torch.nn.Module):
        raise InvalidParameterError(
            f"{path} holds an object of the type {type(found).__name__}, not a module{_weights_in(found)} (allowed:"
            " what torch.save(module) writes)"
        )
    return found


def _load(file: BinaryIO, *, weights_only: bool) -> Any:
    import torch

    file.seek(0)
    return torch.load(file, map_location="cpu", weights_only=weights_only)


def _next_step(error: Exception) -> str:
    """Return what helps if the class of a saved module is not found, or ""."""
    if isinstance(error, ModuleNotFoundError) and error.name:
        top = error.name.partition(".")[0]
        return f"; its class is in the module {error.name}: run the command in the folder of {top}, or install {top}"
    # A pickle names the module of a class, and the class in it.
    if isinstance(error, AttributeError) and "__main__" in str(error):
        return (
            "; its class was defined in the program or notebook that saved the module: move the class to a file, import"
            " it there and save the module again, or name a factory as file.py:factory"
        )
    return ""


def _weights_in(found: Any) -> str:
    """Return that an object is, or has, the weights of a module, and how to use them; or ""."""
    entries = found.items() if isinstance(found, dict) else ()
    place = next((f"[{key!r}]" for key, value in entries if _is_state(value)), "")
    if not place and not _is_state(found):
        return ""
    where = f"its entry {place} seems to be" if place else "it seems to hold"
    return (
        f"; {where} the weights of a module, its state_dict: name a factory as file.py:factory that makes the module,"
        f" calls module.load_state_dict(torch.load(path){place}) and returns the module"
    )


def _is_state(found: Any) -> bool:
    import torch

    return isinstance(found, dict) and any(isinstance(value, torch.Tensor) for value in found.values())


def _check_archive(path: Path, file: BinaryIO) -> None:
    """Raise DataFormatError if a part of the archive is compressed, which torch never does, or has a wrong checksum.

    torch reads a damaged file too, with other weights than were saved.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            is_script = any(info.filename.endswith("/constants.pkl") for info in archive.infolist())
            packed = any(info.compress_type != zipfile.ZIP_STORED for info in archive.infolist())
            damaged = None if packed or is_script else archive.testzip()
    except (zipfile.BadZipFile, *_ZIP_FAULTS) as error:
        raise DataFormatError(f"{path} cannot be read ({reason_of(error)})") from error
    if is_script:
        raise DataFormatError(
            f"{path} is a TorchScript file, which torch.jit.save wrote (allowed: what torch.save writes); save the"
            " module itself with torch.save(module), or name a factory as file.py:factory that makes it"
        )
    if packed:
        raise DataFormatError(f"{path} is a compressed archive (allowed: what torch.save writes)")
    if damaged is not None:
        raise DataFormatError(f"{path} is damaged: the checksum of {damaged} is wrong")
