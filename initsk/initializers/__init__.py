"""Initializers: values with parameters, drawn from named random streams.

What is imported here under its own name (``X as X``) is for the rest of the package, not for users.
"""

from initsk.initializers._as_stored import AsStored
from initsk.initializers._auto import DEEP as DEEP, Auto
from initsk.initializers._autoinit import AutoInit
from initsk.initializers._base import Choice, Initializer, Promise
from initsk.initializers._biases import ChronoBias, ForgetGateBias, PriorBias
from initsk.initializers._callable import FromCallable
from initsk.initializers._centred import Centred
from initsk.initializers._constant import Constant, Dirac, Identity, Ones, Zeros
from initsk.initializers._convolution_aware import ConvolutionAware
from initsk.initializers._edge_of_chaos import EdgeOfChaos
from initsk.initializers._elementwise import ElementwiseFunction as ElementwiseFunction
from initsk.initializers._free import RandomNormal, RandomUniform, TruncatedNormal
from initsk.initializers._gradinit import GradInit
from initsk.initializers._krahenbuhl import WithinLayer
from initsk.initializers._lsuv import LSUV
from initsk.initializers._metainit import MetaInit
from initsk.initializers._mimetic import MimeticAttention
from initsk.initializers._minibatches import default_loss as default_loss
from initsk.initializers._named_scaling import (
    GlorotNormal,
    GlorotUniform,
    HeNormal,
    HeUniform,
    LeCunNormal,
    LeCunUniform,
)
from initsk.initializers._network import (
    AFFINE as AFFINE,
    Layer,
    Network,
    remember_buffers as remember_buffers,
    set_tensor as set_tensor,
)
from initsk.initializers._orthogonal import DeltaOrthogonal, Orthogonal
from initsk.initializers._per_parameter import PerParameter
from initsk.initializers._registry import (
    FRAMEWORK_NAMES as FRAMEWORK_NAMES,
    INITIALIZER_PARAMS as INITIALIZER_PARAMS,
    InitializerLike,
    get_initializer,
    initializer_name as initializer_name,
    list_initializers,
    set_initializer_params as set_initializer_params,
)
from initsk.initializers._residual import DepthScaledResidual, Fixup, ZeroLastInBranch
from initsk.initializers._scaled import Scaled
from initsk.initializers._siren import Siren
from initsk.initializers._site import Branch, Site
from initsk.initializers._sparse import Sparse
from initsk.initializers._torch_default import TorchDefault
from initsk.initializers._trace import (
    ACTIVATION_NAMES as ACTIVATION_NAMES,
    attributes_stay as attributes_stay,
    function_of_first as function_of_first,
    trace as trace,
)
from initsk.initializers._transformer import MaximalUpdate, TFixup
from initsk.initializers._upsampling import ICNR, BilinearUpsampling
from initsk.initializers._variance_scaling import VarianceScaling
from initsk.initializers._weight_norm import DataDependentWeightNorm
from initsk.initializers._zero import ZerO

XavierNormal = GlorotNormal
XavierUniform = GlorotUniform
KaimingNormal = HeNormal
KaimingUniform = HeUniform

__all__ = [
    "ICNR",
    "LSUV",
    "AsStored",
    "Auto",
    "AutoInit",
    "BilinearUpsampling",
    "Branch",
    "Centred",
    "Choice",
    "ChronoBias",
    "Constant",
    "ConvolutionAware",
    "DataDependentWeightNorm",
    "DeltaOrthogonal",
    "DepthScaledResidual",
    "Dirac",
    "EdgeOfChaos",
    "Fixup",
    "ForgetGateBias",
    "FromCallable",
    "GlorotNormal",
    "GlorotUniform",
    "GradInit",
    "HeNormal",
    "HeUniform",
    "Identity",
    "Initializer",
    "InitializerLike",
    "KaimingNormal",
    "KaimingUniform",
    "Layer",
    "LeCunNormal",
    "LeCunUniform",
    "MaximalUpdate",
    "MetaInit",
    "MimeticAttention",
    "Network",
    "Ones",
    "Orthogonal",
    "PerParameter",
    "PriorBias",
    "Promise",
    "RandomNormal",
    "RandomUniform",
    "Scaled",
    "Siren",
    "Site",
    "Sparse",
    "TFixup",
    "TorchDefault",
    "TruncatedNormal",
    "VarianceScaling",
    "WithinLayer",
    "XavierNormal",
    "XavierUniform",
    "ZerO",
    "ZeroLastInBranch",
    "Zeros",
    "get_initializer",
    "list_initializers",
]
