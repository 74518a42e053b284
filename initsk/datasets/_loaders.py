"""Loaders of images that return a Bunch, ``(X, y)`` or frames, as scikit-learn's do."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils import Bunch

from initsk.datasets._idx import read_idx
from initsk.datasets._unpack import read_at_most, unpacked
from initsk.exceptions import DataFormatError
from initsk.utils.files import as_path
from initsk.utils.validation import check_parameters, one_of

SPLITS = ("train", "test", "all")
_CHUNK = 1 << 20
_DATA = Path(__file__).parent / "data"
_MNIST = {
    ("train", "images"): ("train-images-idx3-ubyte.gz", "6bbc9ace898e44ae57da46a324031adb"),
    ("train", "labels"): ("train-labels-idx1-ubyte.gz", "a25bea736e30d166cdddb491f175f624"),
    ("test", "images"): ("t10k-images-idx3-ubyte.gz", "2646ac647ad5339dbf082846283269ea"),
    ("test", "labels"): ("t10k-labels-idx1-ubyte.gz", "27ae3e4e09519cfbb04c329615203637"),
}
_MNIST_DESCR = """MNIST: 70,000 images of handwritten digits, 28 by 28 pixels of 0..255.

60,000 images for training and 10,000 for testing, by Yann LeCun and Corinna Cortes
(http://yann.lecun.com/exdb/mnist/), licensed CC BY-SA 3.0. The four original IDX files
are part of this package; every load checks the MD5 of their contents.
"""


def load_mnist(*, split: str = "train", return_X_y: bool = False, as_frame: bool = False) -> Any:
    """Load the embedded MNIST.

    Parameters
    ----------
    split : {"train", "test", "all"}, default="train"
        The 60,000 training images, the 10,000 test images, or both in this order.
    return_X_y : bool, default=False
        Return ``(data, target)`` instead of a Bunch.
    as_frame : bool, default=False
        Return pandas objects instead of arrays.

    Returns
    -------
    Bunch
        ``data`` (n_samples, 784) of uint8 pixels 0..255, ``target`` (n_samples,) of int64,
        ``feature_names``, ``target_names``, ``DESCR``, and ``frame`` (None unless `as_frame`).

    Raises
    ------
    InvalidParameterError
        If `split` is not one of the three.
    DataFormatError
        If a file of the package is damaged.

    Examples
    --------
    >>> from initsk.datasets import load_mnist
    >>> X, y = load_mnist(split="test", return_X_y=True)
    >>> X.shape, y[:5].tolist()
    ((10000, 784), [7, 2, 1, 0, 4])
    """

    def read(part: str, what: str) -> np.ndarray:
        name, md5 = _MNIST[part, what]
        path = _DATA / name
        content = read_idx(path)
        if _content_md5(content) != md5:
            raise DataFormatError(f"{path}: damaged; the MD5 of its content is not {md5}")
        return content

    check_parameters("load_mnist", {"split": split}, {"split": one_of("split", SPLITS)})
    return _bunch(*_stack(read, split, "MNIST"), _MNIST_DESCR, return_X_y, as_frame)


def load_idx(folder: str | Path, *, split: str = "all", return_X_y: bool = False, as_frame: bool = False) -> Any:
    """Load a folder of IDX files, such as Fashion-MNIST, KMNIST, EMNIST or your own.

    Parameters
    ----------
    folder : str or Path
        Folder of files, gzipped or not, with "images" or "labels" and "train", "test" or "t10k" in their names
        (``train-images-idx3-ubyte.gz``, ``emnist-digits-test-labels-idx1-ubyte``). A file may lie beside its gzipped
        form. The folder may also be one of torchvision, which has such a folder in it: ``raw`` or ``MNIST/raw``.
    split : {"train", "test", "all"}, default="all"
        Part to load; "all" stacks the parts that the folder has, training first.
    return_X_y : bool, default=False
        Return ``(data, target)`` instead of a Bunch.
    as_frame : bool, default=False
        Return pandas objects instead of arrays.

    Returns
    -------
    Bunch
        The same fields as for `load_mnist`; ``data`` has the type of the files and a row for each image.

    Raises
    ------
    InvalidParameterError
        If `split` is not one of the three.
    DataFormatError
        If a file is missing or malformed, several files match a part, a file and its gzipped form differ, or images and
        labels do not match.
    """
    check_parameters("load_idx", {"split": split}, {"split": one_of("split", SPLITS)})
    folder = as_path(folder, "folder", DataFormatError)
    if not folder.is_dir():
        raise DataFormatError(f"{folder}: not a folder")
    folder = _with_images(folder)

    def read(part: str, what: str) -> np.ndarray | None:
        path = _find(folder, part, what)
        return None if path is None else read_idx(path)

    return _bunch(*_stack(read, split, folder), f"IDX files of the folder {folder.name}", return_X_y, as_frame)


def _content_md5(content: np.ndarray) -> str:
    """Return the MD5 of the IDX file with the given content, header included."""
    header = bytes([0, 0, 8, content.ndim]) + np.array(content.shape, ">u4").tobytes()
    return hashlib.md5(header + content.tobytes(), usedforsecurity=False).hexdigest()


def _find(folder: Path, part: str, what: str) -> Path | None:
    words = ("train",) if part == "train" else ("t10k", "test")
    files = [path for path in sorted(folder.iterdir()) if path.is_file() and what in path.name.lower()]
    found = [path for path in files if any(word in path.name.lower() for word in words)]
    if len(found) == 2 and f"{found[0].name}.gz" == found[1].name:
        if not _same_content(*found):
            raise DataFormatError(f"{folder}: the files {found[0].name} and {found[1].name} differ; keep one")
        del found[1]
    if len(found) > 1:
        names = ", ".join(path.name for path in found)
        raise DataFormatError(f"{folder}: more than one file of {part} {what} ({names}); keep one")
    return found[0] if found else None


def _with_images(folder: Path) -> Path:
    """Return the folder, or the one in it in which torchvision keeps the files."""
    if any("images" in path.name.lower() or "labels" in path.name.lower() for path in folder.iterdir()):
        return folder
    found = [path for pattern in ("raw", "*/raw") for path in sorted(folder.glob(pattern)) if path.is_dir()]
    if len(found) > 1:
        raise DataFormatError(f"{folder}: has several data sets ({', '.join(map(str, found))}); name one of them")
    return found[0] if found else folder


def _same_content(path: Path, packed: Path) -> bool:
    with unpacked(path) as (first, _), unpacked(packed) as (second, _):
        while True:
            chunks = read_at_most(first, _CHUNK), read_at_most(second, _CHUNK)
            if chunks[0] != chunks[1] or not chunks[0]:
                return chunks[0] == chunks[1]


def _stack(read: Callable[[str, str], np.ndarray | None], split: str, source: object) -> tuple[np.ndarray, np.ndarray]:
    """Return the images, a row for each, and the labels of the parts that `split` names."""
    pairs = []
    for part in ("train", "test") if split == "all" else (split,):
        images, labels = read(part, "images"), read(part, "labels")
        if images is None and labels is None and split == "all":
            continue
        if images is None or labels is None:
            raise DataFormatError(f"{source}: no IDX file of {part} {'images' if images is None else 'labels'}")
        if images.ndim < 2 or labels.ndim != 1 or len(images) != len(labels):
            shapes = f"images of shape {images.shape} and labels of shape {labels.shape}"
            raise DataFormatError(f"{source}: {part} {shapes} do not match")
        if images.size == 0:
            raise DataFormatError(f"{source}: the {part} images of shape {images.shape} have no pixels")
        pairs.append((images.reshape(len(images), -1), labels))
    if not pairs:
        allowed = "names with images or labels, and train, test or t10k"
        raise DataFormatError(f"{source}: holds no IDX files of images and labels (allowed: {allowed})")
    if len({images.shape[1] for images, _ in pairs}) > 1:
        raise DataFormatError(f"{source}: training and test images differ in size")
    # A single part is not copied.
    data = pairs[0][0] if len(pairs) == 1 else np.concatenate([images for images, _ in pairs])
    target = np.concatenate([labels for _, labels in pairs])
    return data, target.astype(np.int64) if target.dtype.kind in "iu" else target


def _bunch(X: Any, y: Any, description: str, return_X_y: bool, as_frame: bool) -> Any:
    names = [f"pixel_{i}" for i in range(X.shape[1])]
    if as_frame:
        X, y = pd.DataFrame(X, columns=names), pd.Series(y, name="target")
    if return_X_y:
        return X, y
    frame = pd.concat([X, y], axis=1) if as_frame else None
    labels = [str(label) for label in np.unique(y)]
    return Bunch(data=X, target=y, frame=frame, feature_names=names, target_names=labels, DESCR=description)
