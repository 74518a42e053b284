"""Which of AutoInit's rules torch's modules follow."""

from torch import nn
from torch.nn.modules import activation as torch_activations

from initsk.initializers._elementwise import ElementwiseFunction
from initsk.initializers._signal_rules import DIMENSIONS
from initsk.utils._torch_types import BATCH_OR_INSTANCE_NORMS

_NOT_ELEMENTWISE = {"MultiheadAttention", "GLU", "Softmax", "Softmax2d", "Softmin", "LogSoftmax"}
#: Modules that are a function of one number.
ACTIVATIONS = (
    *(getattr(torch_activations, name) for name in torch_activations.__all__ if name not in _NOT_ELEMENTWISE),
    ElementwiseFunction,
)

_RESHAPING = (nn.Flatten, nn.Unflatten, nn.Upsample, nn.PixelShuffle, nn.PixelUnshuffle, nn.ChannelShuffle)
_KEEPING = (nn.Identity, nn.AlphaDropout, nn.FeatureAlphaDropout)
_PADS = tuple(getattr(nn, f"{kind}Pad{d}") for kind in ("Reflection", "Replication", "Circular") for d in DIMENSIONS)
#: Which rule a module follows, and which of its attributes are the function's arguments.
MODULES: dict[type, tuple[str, tuple[str, ...]]] = {
    **dict.fromkeys((*_RESHAPING, *_KEEPING, *_PADS), ("view", ())),
    **dict.fromkeys((nn.ConstantPad1d, nn.ConstantPad2d, nn.ConstantPad3d), ("pad", ("value",))),
    **dict.fromkeys((nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d), ("dropout", ("p",))),
    **{getattr(nn, f"AvgPool{d}"): (f"avg_pool{d}", ("kernel_size",)) for d in DIMENSIONS},
    **{getattr(nn, f"MaxPool{d}"): (f"max_pool{d}", ("kernel_size",)) for d in DIMENSIONS},
    **{getattr(nn, f"AdaptiveAvgPool{d}"): (f"adaptive_avg_pool{d}", ()) for d in DIMENSIONS},
    **{getattr(nn, f"AdaptiveMaxPool{d}"): (f"adaptive_max_pool{d}", ()) for d in DIMENSIONS},
    **dict.fromkeys(BATCH_OR_INSTANCE_NORMS, ("batch_norm", ("weight", "bias"))),
    nn.LayerNorm: ("layer_norm", ("weight", "bias")),
    nn.GroupNorm: ("group_norm", ("weight", "bias")),
    nn.RMSNorm: ("rms_norm", ("weight",)),
    nn.GLU: ("glu", ()),
    nn.Softmax: ("softmax", ("dim",)),
    nn.Embedding: ("embedding", ("weight",)),
}
