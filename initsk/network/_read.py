"""Reading of a network by running it: its operations, and how each parameter is used."""

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from itertools import chain
from threading import get_ident
from typing import Any, NamedTuple

import torch
from torch import nn
from torch.func import functional_call

from initsk.exceptions import InvalidParameterError, ModuleError
from initsk.network._batches import Batch, as_batch, call_of
from initsk.network._calls import failing_part
from initsk.network._copies import copy_of_module
from initsk.network._examples import Example, find_examples
from initsk.network._find_activations import find_activations
from initsk.network._follower import Step
from initsk.network._inputs import few_rows_first, first_batch, map_arrays, to_array
from initsk.network._joined import joined
from initsk.network._lazy import infer_shapes, lazy_again, lazy_parameters
from initsk.network._network_graph import NetworkGraph
from initsk.network._operations import replace_tensors, tensors_in
from initsk.network._parts import parameters_of
from initsk.network._recorder import ForwardRecorder, OnLeave
from initsk.network._sharded import without_shards
from initsk.network._state import has_hooks_of_users, preserve_state, without_hooks_of_users
from initsk.network._summed_products import mark_summed_products
from initsk.network._wrappers import named_parameters, unwrap
from initsk.utils.global_state import one_at_a_time
from initsk.utils.torch_settings import copy_of
from initsk.utils.words import named_reason, reason_of

# From this number of parameters on, values are not computed: a fake tensor costs less than the product.
_FAKE_FROM = 2**27
# Guessed inputs of more values are first tried without values, since a network may make much more of them.
_LARGE_INPUT = 2**15


@one_at_a_time
def read(module: nn.Module, X: Any = None, *, training: bool = False) -> NetworkGraph:
    """Read a network: run its forward pass once, and record every operation with the parameters that it uses.

    The network runs without gradients. Parameters, buffers, modes and the random state stay as they were. Hooks that
    are not torch's run only if the forward pass fails without them. Networks of more than 134 million parameters run on
    fake tensors, which have shapes but no values, and networks on the meta device run there.

    Parameters
    ----------
    module : torch.nn.Module
        The network.
    X : array-like, tensor, tuple or dict of them, or None, default=None
        A batch, of which two samples are used; it gives lazy layers shapes for the reading. None takes an input that
        the network declares (`example_input_array` of Lightning, `dummy_inputs` of transformers, `input_size` of timm),
        or tries inputs that fit its first layers; of several inputs, the first layers of its children.
    training : bool, default=False
        Whether it runs in training mode, with dropout and the statistics of the batch.

    Returns
    -------
    NetworkGraph
        Without operations if no X is given, and no input is found or layers are lazy.

    Raises
    ------
    ModuleError
        If `module` is not a module, or its forward pass fails on X. The message names the layer.

    Examples
    --------
    >>> from initsk import network
    >>> graph = network.read(nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 2)))
    >>> graph.depth, graph.activations
    (2, ['tanh'])
    """
    module = unwrap(module)
    if X is not None:
        return _read_given(module, X, training)
    if isinstance(module, nn.ModuleList | nn.ModuleDict):
        return joined({name: read(child, training=training) for name, child in module.named_children()})
    if lazy_parameters(module):
        # A guess would give the layers shapes that are not those of the data.
        return NetworkGraph((), "layer classes")
    for number, example in enumerate(find_examples(module)):
        if number and not _may_fit(module, example):
            continue
        try:
            return _run(module, example, training)
        except Exception:  # a user's forward may raise anything for an input that does not fit
            continue
    return NetworkGraph((), "layer classes")


def _read_given(module: nn.Module, X: Any, training: bool) -> NetworkGraph:
    if isinstance(X, Batch):
        arguments = X.inputs or X.keywords
    else:
        arguments, _ = first_batch(module, X)
        arguments = map_arrays(to_array, arguments)
    if lazy_parameters(module):
        with lazy_again(module):
            infer_shapes(module, arguments)
            # The graph refers to parameters, and those of the module will have no shape.
            module = copy_of_module(module)
    *few, whole = few_rows_first(arguments)
    for rows in few:
        try:
            return _run(module, _example(module, X, rows, whole), training)
        except (InvalidParameterError, ModuleError):
            raise
        except Exception:  # a user's forward may need all rows
            continue
    example = _example(module, X, whole, whole)
    try:
        return _run(module, example, training)
    except Exception as error:  # a user's forward may raise anything
        name, _ = failing_part(module, error)
        where = f"at layer {name!r}" if name else "outside of its layers"
        raise ModuleError(
            f"the forward pass of {type(module).__name__} failed {where} on X of shape {example.description}:"
            f" {named_reason(error)} (allowed: an X that the module takes)"
        ) from error


def _example(module: nn.Module, X: Any, rows: Any, whole: Any) -> Example:
    """Return rows of X as arguments of the module's type; only these are converted."""
    shapes: list[str] = []
    map_arrays(lambda _, array: shapes.append(" x ".join(map(str, array.shape))), whole)
    if isinstance(X, Batch):
        return Example(*call_of(rows), ", ".join(shapes))
    batch = as_batch(module, rows)
    return Example(batch.inputs, batch.keywords, ", ".join(shapes))


def _may_fit(module: nn.Module, example: Example) -> bool:
    """Return whether a guess costs little, or its shape fits as far as a forward pass on the meta device tells."""
    given = [example.arguments, example.keywords]
    if sum(map(torch.numel, tensors_in(given))) < _LARGE_INPUT and not _is_large(module):
        return True
    tensors = chain(module.named_parameters(), module.named_buffers())
    without_values = {name: torch.empty_like(tensor, device="meta") for name, tensor in tensors}
    arguments, keywords = replace_tensors(given, lambda tensor: tensor.to("meta"))
    try:
        with (
            preserve_state(module, training=False, gradients=False, seed=0),
            without_hooks_of_users(module), torch.device("meta"),
        ):  # fmt: skip
            functional_call(module, without_values, arguments, keywords)
    except NotImplementedError:  # a function without values
        return True
    except Exception as error:  # a user's forward may raise anything
        return "meta" in reason_of(error)
    return True


def _run(module: nn.Module, example: Example, training: bool) -> NetworkGraph:
    """Run a module on an example and return its graph.

    Large networks run without values first; a forward pass with decisions about values needs them.
    """
    with without_shards(module):
        return _run_whole(module, example, training)


def _run_whole(module: nn.Module, example: Example, training: bool) -> NetworkGraph:
    mode = {"training": training, "gradients": False, "seed": 0}
    fake = _fake_mode() if _is_large(module) else None
    if fake is not None:
        try:
            with _without_log():
                return _record(module, example, mode, fake=fake).graph
        except Exception:  # a user's forward may raise anything without values
            pass
    return _record_with_needed_hooks(module, example, mode).graph


class PassReading(NamedTuple):
    """The graph of one forward pass, its steps, and whether other code than torch, such as numpy, gets signals."""

    graph: NetworkGraph
    steps: list[Step]
    leaves_torch: bool


def read_pass(
    module: nn.Module, batch: Batch, *, training: bool | None, gradients: bool,
    start: Callable[[], OnLeave] | None = None, whole: bool = False,
) -> PassReading:  # fmt: skip
    """Read a network as it runs on a batch in a given mode, from the current random state.

    Parameters
    ----------
    module : torch.nn.Module
        The network, without wrappers around it.
    batch : Batch
        The arguments of the forward pass.
    training : bool or None
        Whether the module is in training mode; None leaves its parts as they are.
    gradients : bool
        Whether the forward pass records gradients.
    start : callable, optional
        Called before each attempt to run the module. It returns a function that is called at the end of each call of a
        part, with the number of the step, the part, its output (None if the call failed), and a function that returns
        the `Source` of a tensor, or None for a constant.
    whole : bool, default=False
        Whether to run on the whole batch, not on two samples.

    Returns
    -------
    PassReading
    """
    mode = {"training": training, "gradients": gradients, "seed": None}
    *few, all_rows = few_rows_first(batch.inputs or batch.keywords)
    for rows in [] if whole else few:
        try:
            return _record_with_needed_hooks(module, Example(*call_of(rows), ""), mode, start)
        except Exception:  # a user's forward may need all rows
            continue
    return _record_with_needed_hooks(module, Example(*call_of(all_rows), ""), mode, start)


def _record_with_needed_hooks(
    module: nn.Module, example: Example, mode: Mapping[str, Any], start: Callable[[], OnLeave] | None = None
) -> PassReading:
    """Record a forward pass without the hooks of users, or with them if it fails without them.

    A hook may do what ``forward`` relies on, as those of transformers that collect the outputs of layers.
    """
    try:
        return _record(module, example, mode, start)
    except Exception:  # a user's forward may raise anything
        if not has_hooks_of_users(module):
            raise
        return _record(module, example, mode, start, with_hooks=True)


def _record(
    module: nn.Module, example: Example, mode: Mapping[str, Any], start: Callable[[], OnLeave] | None = None, *,
    fake: Any = None, with_hooks: bool = False,
) -> PassReading:  # fmt: skip
    recorder = ForwardRecorder(module, None if start is None else start())
    arguments, keywords = replace_tensors([example.arguments, example.keywords], copy_of)
    with ExitStack() as stack:
        stack.enter_context(preserve_state(module, **mode, parameters=False))
        if fake is not None:
            stack.enter_context(fake)
            arguments, keywords = replace_tensors([arguments, keywords], fake.from_tensor)
        elif any(parameter.is_meta for parameter in parameters_of(module)):
            stack.enter_context(torch.device("meta"))
            arguments, keywords = replace_tensors([arguments, keywords], lambda tensor: tensor.to("meta"))
        if not with_hooks:
            stack.enter_context(without_hooks_of_users(module))
        recorder.add_inputs(arguments, keywords)
        with recorder.following():
            output = module(*arguments, **keywords)
        recorder.add_outputs(output)
    mark_summed_products(recorder.operations, dict(named_parameters(module)))
    find_activations(recorder.operations, recorder.modules)
    operations = tuple(recorder.operations)
    graph = NetworkGraph(operations, "forward pass", example.description, example.is_guess, recorder.is_cut)
    return PassReading(graph, recorder.steps, bool(recorder.outside))


def _is_large(module: nn.Module) -> bool:
    return sum(parameter.numel() for parameter in parameters_of(module)) >= _FAKE_FROM


@contextmanager
def _without_log() -> Iterator[None]:
    """Drop what torch logs in this thread about functions that fail on fake tensors: the failure is handled."""
    thread = get_ident()
    logger = logging.getLogger("torch._subclasses.fake_tensor")

    def is_of_others(record: logging.LogRecord) -> bool:
        return record.thread != thread

    logger.addFilter(is_of_others)
    try:
        yield
    finally:
        logger.removeFilter(is_of_others)


def _fake_mode() -> Any:
    """Return torch's mode of tensors without values; None if torch does not have it."""
    try:
        from torch._subclasses import FakeTensorMode
    except ImportError:
        return None
    return FakeTensorMode(allow_non_fake_inputs=True)
