"""Example inputs of a module: those that its library declares, or inputs that fit its first layer."""

from collections.abc import Iterator, Mapping, Sequence
from inspect import Parameter, signature
from itertools import chain, islice, product
from typing import Any, NamedTuple

import torch
from torch import nn

from initsk.network._layer_types import BATCH_OR_INSTANCE_NORM_LAYERS, CONVOLUTIONS, EMBEDDINGS

# Sizes of images, small ones first; those of ImageNet models and their first fully connected layers follow.
_IMAGE_SIZES = (32, 28, 64, 96, 16, 8, 224, 128, 48, 256, 227, 299, 40, 56, 84, 112, 160, 192, 384, 512)
_SEQUENCE_SIZES = (32, 64, 16, 128, 8, 256, 100, 512, 1000, 1024, 16000)
_VOLUME_SIZES = (8, 16, 32, 64)
_SAMPLES, _ELEMENTS = 2, 5
# How many layers are tried as the first one.
_FIRST_LAYERS = 3
# How many combinations of shapes are tried for several inputs.
_COMBINATIONS = 64

# Shape and type of an input.
Kind = tuple[tuple[int, ...], torch.dtype]
# One number for each sample, such as a time; and sequences of numbers, or the ends of edges.
_INTEGERS: tuple[Kind, ...] = (((_SAMPLES,), torch.int64), ((_SAMPLES, _ELEMENTS), torch.int64))


class Example(NamedTuple):
    """Arguments of a call of a module, with a description for messages.

    The lengths of a guess, which only fit the first layers, may differ from those of the network's inputs.
    """

    arguments: tuple[Any, ...]
    keywords: dict[str, Any]
    description: str
    is_guess: bool = False


def find_examples(module: nn.Module) -> Iterator[Example]:
    """Yield inputs that the module may accept, the most likely ones first.

    Examples
    --------
    >>> next(find_examples(nn.Linear(3, 2))).description
    '2 x 3'
    """
    yield from _declared(module)
    n_arguments = _n_required(module)
    if n_arguments is None:
        return
    if n_arguments > 1:
        for kinds in islice(product(_shapes_of_children(module), repeat=n_arguments), _COMBINATIONS):
            yield _example_of(kinds, module)
    for kind in chain(_shapes(module), _INTEGERS):
        yield _example_of([kind] * n_arguments, module)


def _example_of(kinds: Sequence[Kind], module: nn.Module) -> Example:
    """Return an example with a tensor of each shape and type."""
    # One row for each sample has the width of the first layer.
    is_guess = any(len(shape) > 2 or not dtype.is_floating_point for shape, dtype in kinds)
    described = dict.fromkeys(" x ".join(map(str, shape)) for shape, _ in kinds)
    return Example(tuple(_values(*kind, module) for kind in kinds), {}, " and ".join(described), is_guess)


def _declared(module: nn.Module) -> Iterator[Example]:
    """Yield the examples that Lightning, transformers and timm keep with a module."""
    array = declared(module, "example_input_array")
    if array is not None:
        arguments = array if isinstance(array, tuple) else () if isinstance(array, dict) else (array,)
        yield Example(arguments, array if isinstance(array, dict) else {}, "example_input_array")
    dummy = declared(module, "dummy_inputs")
    image = _image_shape(module)
    if image is not None:
        main = declared(module, "main_input_name")
        values = _values((1, *image), torch.float32, module)
        keywords = {str(main): values} if main else {}
        yield Example(() if main else (values,), keywords, " x ".join(map(str, (1, *image))))
    if isinstance(dummy, dict) and dummy:
        yield Example((), dict(dummy), "dummy_inputs")


def declared(owner: Any, attribute: str) -> Any:
    """Return an attribute that a library may declare, or None; a property may raise anything.

    Examples
    --------
    >>> declared(nn.Linear(1, 1), "config") is None
    True
    """
    try:
        return getattr(owner, attribute, None)
    except Exception:  # a property of another library
        return None


def _image_shape(module: nn.Module) -> tuple[int, ...] | None:
    """Return the shape of one image that the configuration of a model declares."""
    for attribute in ("pretrained_cfg", "default_cfg"):
        held = declared(module, attribute)
        size = held.get("input_size") if isinstance(held, Mapping) else None
        if isinstance(size, tuple | list) and size:
            return tuple(size)
    config = declared(module, "config")
    channels, size = declared(config, "num_channels"), declared(config, "image_size")
    if declared(module, "main_input_name") != "pixel_values" or not channels:
        return None
    size = size or 64
    return (int(channels), *(size if isinstance(size, tuple | list) else (size, size)))


def _n_required(module: nn.Module) -> int | None:
    """Return the number of arguments without defaults; None if `forward` has other arguments that it needs."""
    parameters = list(signature(module.forward).parameters.values())
    needed = [p for p in parameters if p.default is Parameter.empty]
    if any(p.kind is Parameter.KEYWORD_ONLY for p in needed):
        return None
    named = [p for p in needed if p.kind in (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)]
    # ``forward(self, *args)`` is called with one argument.
    return len(named) or (1 if parameters else None)


def _shapes(module: nn.Module) -> Iterator[Kind]:
    found = 0
    for part in module.modules():
        shapes = list(_shapes_for(part))
        yield from shapes
        found += bool(shapes)
        if found == _FIRST_LAYERS:
            return


def _shapes_of_children(module: nn.Module) -> list[Kind]:
    """Return for each child of a module the first shape that fits its first layer, and shapes of integers."""
    parts = [child.modules() for child in module.children()]
    first = [next((kind for part in inside for kind in _shapes_for(part)), None) for inside in parts]
    return list(dict.fromkeys([*filter(None, first), *_INTEGERS]))


def _shapes_for(part: nn.Module) -> Iterator[Kind]:
    """Yield the shapes of inputs that fit a layer."""
    layer: Any = part
    real, integer = torch.float32, torch.int64
    if isinstance(part, EMBEDDINGS):
        yield from [((_SAMPLES, _ELEMENTS), integer), ((_SAMPLES,), integer), ((_SAMPLES, 16), integer)]
    elif isinstance(part, CONVOLUTIONS):
        dimensions = len(layer.kernel_size)
        sizes = {1: _SEQUENCE_SIZES, 2: _IMAGE_SIZES, 3: _VOLUME_SIZES}[dimensions]
        for size in (1, 4, *sizes) if layer.transposed else sizes:
            yield (_SAMPLES, layer.in_channels, *[size] * dimensions), real
    elif isinstance(part, nn.RNNBase | nn.RNNCellBase):
        inner = (_ELEMENTS,) if isinstance(part, nn.RNNBase) else ()
        yield (_SAMPLES, *inner, part.input_size), real
    elif isinstance(part, nn.MultiheadAttention):
        yield (_ELEMENTS, _SAMPLES, part.embed_dim), real
    elif isinstance(part, nn.Transformer):
        yield (_ELEMENTS, _SAMPLES, part.d_model), real
    elif isinstance(part, BATCH_OR_INSTANCE_NORM_LAYERS):
        yield from [((_SAMPLES, layer.num_features, *[8] * n), real) for n in range(4)]
    elif isinstance(part, nn.Linear):
        yield from _rows(part.in_features)
    elif isinstance(part, nn.LayerNorm | nn.RMSNorm):
        yield from _rows(*part.normalized_shape)
    else:
        matrices = [p for p in part.parameters(recurse=False) if p.dim() >= 2]
        for width in dict.fromkeys(size for p in matrices[:2] for size in reversed(p.shape[-2:])):
            yield from _rows(width)


def _rows(*shape: int) -> Iterator[Kind]:
    for inner in ((), (_ELEMENTS,), (_ELEMENTS, _ELEMENTS)):
        yield (_SAMPLES, *inner, *shape), torch.float32


def _values(shape: tuple[int, ...], dtype: torch.dtype, module: nn.Module) -> torch.Tensor:
    like = next((p for p in module.parameters() if p.is_floating_point()), torch.empty(0))
    if like.is_meta:
        return torch.empty(shape, dtype=like.dtype if dtype.is_floating_point else dtype, device="meta")
    generator = torch.Generator("cpu").manual_seed(0)
    if not dtype.is_floating_point:
        return torch.randint(0, 2, shape, generator=generator, device="cpu").to(like.device)
    return torch.randn(shape, generator=generator, device="cpu").to(like.device, like.dtype)
