"""Initializers: objects with parameters that fill tensors from named random streams."""

from initsk.initializers._activation_aware import DEEP, Auto, EdgeOfChaos
from initsk.initializers._autoinit import AutoInit
from initsk.initializers._biases import ChronoBias, ForgetGateBias, PriorBias
from initsk.initializers._constant import Constant, Dirac, Identity, Ones, ZerO, Zeros
from initsk.initializers._data_dependent import LSUV, DataDependentWeightNorm
from initsk.initializers._frameworks import FRAMEWORK_NAMES, TorchDefault
from initsk.initializers._general_scaling import VarianceScaling
from initsk.initializers._gradinit import GradInit
from initsk.initializers._metainit import MetaInit
from initsk.initializers._mimetic import MimeticAttention
from initsk.initializers._orthogonal import ConvolutionAware, DeltaOrthogonal, Orthogonal
from initsk.initializers._per_parameter import PerParameter
from initsk.initializers._residual import DepthScaledResidual, Fixup, MaximalUpdate, TFixup, ZeroLastInBranch
from initsk.initializers._siren import Siren
from initsk.initializers._unscaled import RandomNormal, RandomUniform, Sparse, TruncatedNormal
from initsk.initializers._upsampling import ICNR, BilinearUpsampling
from initsk.initializers._variance_scaling import (
    GlorotNormal,
    GlorotOrthogonal,
    GlorotUniform,
    HeNormal,
    HeOrthogonal,
    HeUniform,
    LeCunNormal,
    LeCunOrthogonal,
    LeCunUniform,
)
from initsk.initializers._within_layer import WithinLayer
from initsk.initializers.core._answers import Choice, ExpectedMoments
from initsk.initializers.core._base import Initializer
from initsk.initializers.core._from_framework import FromFramework
from initsk.initializers.core._registry import (
    INITIALIZER_PARAMS,
    FromCallable,
    InitializerLike,
    class_of_label,
    get_initializer,
    initializer_name,
    list_initializers,
    set_initializer_params,
)
from initsk.initializers.core._wrapper import AsStored, Centered, Scaled

XavierNormal = GlorotNormal
XavierUniform = GlorotUniform
XavierOrthogonal = GlorotOrthogonal
KaimingNormal = HeNormal
KaimingUniform = HeUniform
KaimingOrthogonal = HeOrthogonal

__all__ = [
    "DEEP", "FRAMEWORK_NAMES", "ICNR", "INITIALIZER_PARAMS", "LSUV", "AsStored", "Auto", "AutoInit",
    "BilinearUpsampling", "Centered", "Choice", "ChronoBias", "Constant", "ConvolutionAware", "DataDependentWeightNorm",
    "DeltaOrthogonal", "DepthScaledResidual", "Dirac", "EdgeOfChaos", "ExpectedMoments", "Fixup", "ForgetGateBias",
    "FromCallable", "FromFramework", "GlorotNormal", "GlorotOrthogonal", "GlorotUniform", "GradInit", "HeNormal",
    "HeOrthogonal", "HeUniform", "Identity", "Initializer", "InitializerLike", "KaimingNormal", "KaimingOrthogonal",
    "KaimingUniform", "LeCunNormal", "LeCunOrthogonal", "LeCunUniform", "MaximalUpdate", "MetaInit", "MimeticAttention",
    "Ones", "Orthogonal", "PerParameter", "PriorBias", "RandomNormal", "RandomUniform", "Scaled", "Siren", "Sparse",
    "TFixup", "TorchDefault", "TruncatedNormal", "VarianceScaling", "WithinLayer", "XavierNormal", "XavierOrthogonal",
    "XavierUniform", "ZerO", "ZeroLastInBranch", "Zeros", "class_of_label", "get_initializer", "initializer_name",
    "list_initializers", "set_initializer_params",
]  # fmt: skip
