"""Loading the module or estimator that NETWORK names: from Python code, or from a file that torch wrote."""

import importlib
import os
import runpy
import struct
import sys
import zipfile
import zlib
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any, BinaryIO

from initsk.exceptions import DataFormatError, InvalidParameterError
from initsk.utils.files import open_regular
from initsk.utils.validation import unknown_name
from initsk.utils.words import named_reason, reason_of

_ALLOWED = "allowed: package.module:factory, file.py:factory, or a .pt or .pth file that torch.save wrote"
# The errors of zipfile for damaged archives, besides its own.
_ZIP_FAULTS = (OSError, EOFError, ValueError, RuntimeError, LookupError, OverflowError, struct.error, zlib.error)


def load_network(network: str) -> Any:
    """Return the module or estimator that NETWORK names.

    The code of the file or module is run, so use only files that you trust. A factory is called without arguments; an
    object that is a module or an estimator already is returned as it is.

    Raises
    ------
    InvalidParameterError
        If the network cannot be found or made.
    """
    path = Path(network)
    if path.suffix.lower() in (".pt", ".pth") and os.path.lexists(path):
        return _load_saved(path)
    # In two steps and not by pkgutil.resolve_name: a file can be named, and a wrong factory gets the nearest name.
    place, _, name = network.rpartition(":")
    if not place or not name:
        raise InvalidParameterError(f"NETWORK {network!r} cannot be found ({_ALLOWED})")
    module = _import(place)
    if not hasattr(module, name):
        names = [known for known, value in vars(module).items() if not known.startswith("_") and callable(value)]
        raise InvalidParameterError(f"{place}: {unknown_name('factory', name, names)}")
    found = getattr(module, name)
    if not isinstance(found, type) and (hasattr(found, "parameters") or hasattr(found, "get_params")):
        return found
    if not callable(found):
        raise InvalidParameterError(
            f"{network} has the type {type(found).__name__} (allowed: a module, an estimator, or a function)"
        )
    try:
        return found()
    except Exception as error:  # the user's code may raise anything
        raise InvalidParameterError(f"{network} raised {type(error).__name__}: {error}") from error


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
        # As with python -m, modules of the working directory can be imported.
        sys.path.insert(0, "")
        try:
            return importlib.import_module(place)
        finally:
            sys.path.remove("")
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
        try:
            found = _load(content, weights_only=True)
        except Exception:  # a module is more than tensors, and a damaged file may raise anything
            try:
                found = _load(content, weights_only=False)
            except Exception as error:  # the code in the file may raise anything
                problem = named_reason(error)
                raise DataFormatError(f"{path} cannot be read ({problem}); code in the file may have run") from error
    if not isinstance(found, torch.nn.Module):
        kind = type(found).__name__
        weights = "; it seems to hold the weights of a module, its state_dict" if _is_state(found) else ""
        raise InvalidParameterError(
            f"{path} holds an object of the type {kind}, not a module{weights} (allowed: what torch.save(module)"
            " writes)"
        )
    return found


def _load(file: BinaryIO, *, weights_only: bool) -> Any:
    import torch

    file.seek(0)
    return torch.load(file, map_location="cpu", weights_only=weights_only)


def _is_state(found: Any) -> bool:
    import torch

    return isinstance(found, dict) and any(isinstance(value, torch.Tensor) for value in found.values())


def _check_archive(path: Path, file: BinaryIO) -> None:
    """Raise DataFormatError if a part of the archive is compressed, which torch never does, or has a wrong checksum.

    torch reads a damaged file too, with other weights than were saved.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            packed = any(info.compress_type != zipfile.ZIP_STORED for info in archive.infolist())
            damaged = None if packed else archive.testzip()
    except (zipfile.BadZipFile, *_ZIP_FAULTS) as error:
        raise DataFormatError(f"{path} cannot be read ({reason_of(error)})") from error
    if packed:
        raise DataFormatError(f"{path} is a compressed archive (allowed: what torch.save writes)")
    if damaged is not None:
        raise DataFormatError(f"{path} is damaged: the checksum of {damaged} is wrong")
