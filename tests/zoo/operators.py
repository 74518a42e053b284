"""Stubs of two operators that torchvision needs at import when its own do not fit the installed torch."""

import importlib
import sys
from functools import cache
from importlib.util import find_spec

from torch.library import Library


@cache
def define_missing_operators() -> Library | None:
    """Define the operators that a build of torchvision for another torch does not load; None if none is missing.

    The cache keeps the library alive, because its operators disappear with it.
    """
    if find_spec("torchvision") is None:
        return None
    try:
        importlib.import_module("torchvision")
    except RuntimeError as error:
        if "torchvision::" not in str(error):
            raise
        for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
            del sys.modules[name]
    else:
        return None
    library = Library("torchvision", "FRAGMENT")
    for name in ("nms", "qnms"):
        library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    return library
