"""Initializers: values with parameters, drawn from named random streams."""

from initsk.initializers._base import Initializer
from initsk.initializers._free import RandomNormal, Zeros
from initsk.initializers._orthogonal import Orthogonal
from initsk.initializers._registry import (
    FromCallable,
    InitializerLike,
    get_initializer,
    initializer_name,
    list_initializers,
    set_initializer_params,
)
from initsk.initializers._site import Site
from initsk.initializers._torch_default import TorchDefault
from initsk.initializers._variance_scaling import GlorotNormal, HeNormal, LeCunNormal, VarianceScaling

XavierNormal = GlorotNormal
KaimingNormal = HeNormal

__all__ = [
    "FromCallable",
    "GlorotNormal",
    "HeNormal",
    "Initializer",
    "InitializerLike",
    "KaimingNormal",
    "LeCunNormal",
    "Orthogonal",
    "RandomNormal",
    "Site",
    "TorchDefault",
    "VarianceScaling",
    "XavierNormal",
    "Zeros",
    "get_initializer",
    "initializer_name",
    "list_initializers",
    "set_initializer_params",
]
