"""A simulated accelerator, "small": like Apple's MPS, it has no double precision, and it refuses tensors of the CPU.

Its tensors wrap tensors of the CPU, which compute. The script compares results on both devices and exits with 1 if they
differ. It has a process of its own, since torch cannot forget a device.
"""

import os
import sys
import traceback
from functools import partial

import numpy as np
import torch
from torch.utils import backend_registration
from torch.utils._pytree import tree_flatten, tree_map, tree_unflatten

from initsk import (
    ActivationInspector,
    MLPClassifier,
    MLPRegressor,
    NeuralNetClassifier,
    audit,
    diagnose,
    get_initializer,
    initialize,
    inspect_activations,
    list_initializers,
    network,
    recommend_initializer,
)
from initsk.exceptions import InvalidParameterError

NAME = "small"
_DOUBLE = {torch.float64, torch.complex128}
# These take tensors of two devices, and indices may be on the CPU.
_MIXES = {torch.ops.aten._to_copy.default, torch.ops.aten.copy_.default, torch.ops.aten.index.Tensor}


class SmallTensor(torch.Tensor):
    """A tensor on the simulated device."""

    __torch_function__ = torch._C._disabled_torch_function_impl

    @staticmethod
    def __new__(cls, data):
        if data.dtype in _DOUBLE:
            raise TypeError(f"{NAME} has no double precision")
        layout = {"strides": data.stride(), "storage_offset": data.storage_offset(), "dtype": data.dtype}
        with torch.inference_mode(False):
            return torch.Tensor._make_wrapper_subclass(cls, data.size(), device=torch.device(NAME, 0), **layout)

    def __init__(self, data):
        self.on_cpu = data

    @classmethod
    def __torch_dispatch__(cls, operation, types, args=(), kwargs=None):
        return run(operation, *args, **(kwargs or {}))

    def __deepcopy__(self, memo):
        copied = SmallTensor(self.on_cpu.detach().clone())
        if isinstance(self, torch.nn.Parameter):
            copied = torch.nn.Parameter(copied)
        memo[id(self)] = copied.requires_grad_(self.requires_grad)
        return copied

    def __getitem__(self, index):
        parts = index if isinstance(index, tuple) else (index,)
        return super().__getitem__(tuple(torch.as_tensor(p) if isinstance(p, np.ndarray | list) else p for p in parts))

    def __repr__(self, **options):
        return f"SmallTensor({self.on_cpu})"

    def __format__(self, form):
        return format(self.on_cpu, form)

    def __array__(self, dtype=None, copy=None):
        raise TypeError(f"{NAME} tensors have no numpy array")

    def numpy(self, *, force=False):
        return self.on_cpu.detach().numpy() if force else self.__array__()

    def data_ptr(self):
        return self.on_cpu.data_ptr()

    def untyped_storage(self):
        return self.on_cpu.untyped_storage()

    def tolist(self):
        return self.on_cpu.tolist()

    def item(self):
        return self.on_cpu.item()


def run(operation, *args, **kwargs):
    """Run an operation of torch on tensors of one device."""
    flat, form = tree_flatten((args, kwargs))
    small = [part for part in flat if isinstance(part, SmallTensor)]
    others = [part for part in flat if isinstance(part, torch.Tensor) and not isinstance(part, SmallTensor)]
    if small and any(part.dim() for part in others) and operation not in _MIXES:
        raise RuntimeError(f"{operation}: tensors are on two devices, {NAME} and cpu")
    values = [part.on_cpu if isinstance(part, SmallTensor) else part for part in flat]
    on_cpu = [torch.device("cpu") if getattr(part, "type", None) == NAME else part for part in values]
    device = kwargs.get("device")
    stays = bool(small) if device is None else torch.device(device).type == NAME
    if stays and kwargs.get("dtype") in _DOUBLE:
        raise TypeError(f"{NAME} has no double precision")
    new_args, new_kwargs = tree_unflatten(on_cpu, form)
    result = operation(*new_args, **new_kwargs)
    if operation is torch.ops.aten.copy_.default:
        return args[0]
    known = {id(part.on_cpu): part for part in small}
    return tree_map(partial(_placed, known, stays), result)


def _placed(known, stays, result):
    if not isinstance(result, torch.Tensor):
        return result
    if id(result) in known:
        return known[id(result)]
    return SmallTensor(result) if stays else result


def dense_net():
    layers = [
        torch.nn.Linear(20, 32),
        torch.nn.ReLU(),
        torch.nn.LayerNorm(32),
        torch.nn.Linear(32, 16),
        torch.nn.GELU(),
    ]
    return torch.nn.Sequential(*layers, torch.nn.Linear(16, 3))


def image_net():
    layers = [torch.nn.Unflatten(1, (1, 4, 5)), torch.nn.Conv2d(1, 8, 3), torch.nn.BatchNorm2d(8), torch.nn.ReLU()]
    return torch.nn.Sequential(*layers, torch.nn.Flatten(), torch.nn.Linear(48, 3))


class Attention(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.TransformerEncoderLayer(4, 2, 8, batch_first=True, dropout=0.0)
        self.head = torch.nn.Linear(4, 3)

    def forward(self, x):
        return self.head(self.layer(x.unflatten(1, (5, 4))).mean(1))


# Data of these may also be on the CPU.
FUNCTIONS = ("inspect", "gradients", "diagnose", "audit", "recommend")
NETS = [dense_net, image_net, Attention]
SPECIAL = {
    image_net: ["auto", "autoinit", "convolution_aware", "delta_orthogonal", "dirac", "lsuv", "within_layer"],
    Attention: ["auto", "fixup", "mimetic_attention", "t_fixup", "zero_last_in_branch"],
}


def made(net, device):
    torch.manual_seed(0)
    return net().to(device)


def values_of(module):
    return np.concatenate([p.detach().cpu().numpy().ravel() for p in module.parameters()])


def initialized(net, name, X, y, device):
    module, initializer = made(net, device), get_initializer(name)
    if "n_steps" in initializer.get_params():
        initializer.set_params(n_steps=2)
    try:
        initialize(module, initializer, X=X, y=y, random_state=0)
    except InvalidParameterError:
        # The initializer needs another kind of network.
        return np.zeros(0)
    return values_of(module)


def trained(cls, X, y, device, **options):
    return cls((8,), max_epochs=3, device=device, random_state=0, **options).fit(X, y).predict(X)


def trained_net(X, y, device):
    net = NeuralNetClassifier(made(dense_net, "cpu"), criterion=torch.nn.CrossEntropyLoss, device=device, verbose=0,
                              max_epochs=2, initializer="he_normal", random_state=0)  # fmt: skip
    return net.fit(X, y).predict_proba(X)


def features(X, y, device):
    clf = MLPClassifier((8,), max_epochs=2, device=device, random_state=0)
    return ActivationInspector(clf).fit_transform(X, y)


def numbers(frame):
    return frame.select_dtypes("number").to_numpy(float)


def cases():
    """Yield the name of each case, and a function that returns its numbers on a device, for data on a device."""
    generator = np.random.default_rng(0)
    X, y = generator.normal(size=(100, 20)).astype(np.float32), generator.integers(0, 3, 100)
    data = torch.from_numpy(X), torch.from_numpy(y)

    def on(place):
        return [part.to(place) for part in data]

    for net in NETS:
        about = net.__name__
        yield f"{about}: read", lambda d, p, n=net: numbers(network.read(made(n, d), on(p)[0]).to_frame())
        yield f"{about}: inspect", lambda d, p, n=net: numbers(inspect_activations(made(n, d), on(p)[0]).to_frame())
        yield (
            f"{about}: inspect gradients",
            lambda d, p, n=net: numbers(inspect_activations(made(n, d), *on(p), gradients=True).to_frame()),
        )
        yield f"{about}: diagnose", lambda d, p, n=net: np.array([diagnose(made(n, d), *on(p)).score])
        yield f"{about}: audit", lambda d, p, n=net: np.array([len(audit(made(n, d), on(p)[0]).findings())])
        yield (
            f"{about}: recommend",
            lambda d, p, n=net: numbers(recommend_initializer(made(n, d), *on(p)).to_frame()),
        )
        # The images need the initializers of convolutions, and attention those of Transformers.
        for name in list_initializers()["name"] if net is dense_net else SPECIAL[net]:
            yield f"{about}: {name}", lambda d, p, n=net, i=name: initialized(n, i, *on(p), d)
    yield "MLPClassifier", lambda d, p: trained(MLPClassifier, X, y, d)
    yield "MLPRegressor", lambda d, p: trained(MLPRegressor, X, y.astype(float), d)
    yield "MLPClassifier, auto", lambda d, p: trained(MLPClassifier, X, y, "cpu" if d == "cpu" else "auto")
    yield "NeuralNetClassifier", lambda d, p: trained_net(X, y, d)
    yield (
        "ActivationInspector",
        lambda d, p: ActivationInspector(MLPClassifier((8,), max_epochs=2, device=d, random_state=0)).fit_transform(
            X, y
        ),
    )


def main():
    backend_registration._setup_privateuseone_for_python_backend(NAME)
    library = torch.library.Library("_", "IMPL")
    library.fallback(run, "PrivateUse1")
    different, n_cases = [], 0
    for name, result in cases():
        expected = result("cpu", "cpu")
        for place in ("cpu", NAME) if name.endswith(FUNCTIONS) else (NAME,):
            n_cases += 1
            try:
                np.testing.assert_allclose(result(NAME, place), expected, rtol=1e-3, atol=1e-5, err_msg=name)
            except Exception:  # every difference is reported at the end
                different.append(f"{name}, data on {place}: {traceback.format_exc(limit=-4)}")
    print("\n".join(different), f"{n_cases} cases, {len(different)} differ", sep="\n")
    sys.stdout.flush()
    # torch aborts at the end of a process with a simulated device.
    os._exit(bool(different))


if __name__ == "__main__":
    main()
