"""Saving, loading and attaching estimators."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from inspect import Parameter, signature
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import _num_samples

from .. import container
from ..backend import Device, resolve_device
from ..choices import DeviceName, ShortDtypeName
from ..container import MAX_BYTES, ArtifactError, Contents
from ..device_scope import computing_on
from ..document import entry
from ..estimators import ESTIMATORS, SeedGated
from ..quantised import is_quantised
from ..stored_values import QUANTISED_DTYPES, SHORT_DTYPES, rounded
from ..strict_json import check_depth
from ..training.checkpoint import KIND
from . import deep, echo, gated
from .pipelines import pipeline_of, steps_of

#: Types in which trained parameters may be saved besides their own.
SAVED_DTYPES = (*SHORT_DTYPES, *QUANTISED_DTYPES)


def _kind_of(name: Any) -> tuple[ModuleType, Any] | None:
    """Return the module that converts estimators of a name, and their class; None if unknown."""
    if not isinstance(name, str):
        return None
    if name in echo.CLASSES:
        return echo, echo.CLASSES[name]
    cls = ESTIMATORS.get(name)
    if cls is None:
        return None
    return gated if issubclass(cls, SeedGated) else deep, cls


def _known_names() -> str:
    return ", ".join(sorted((*ESTIMATORS, *echo.CLASSES)))


def save(
    model: Any,
    path: str | os.PathLike[str],
    *,
    dtype: ShortDtypeName | None = None,
    X: Any = None,
    y: Any = None,
) -> Path:
    """Save a fitted model as a seed and its trained parameters, without pickle.

    The file has the safetensors layout. It is written completely or not at all.

    Parameters
    ----------
    model : estimator or Pipeline
        A fitted estimator of deepreservoir, or a pipeline that ends in one. The steps before it
        can be scalers, encoders, imputers and vectorizers of scikit-learn, nested pipelines and
        ColumnTransformers of them, and registered classes (:func:`register_transformer`).
    path : str or path
    dtype : {"float16", "bfloat16", "int8", "int6"} or None, default=None
        Store the trained parameters in 16 bits, or their matrices as integers of eight or six bits
        with a scale per row or column, and vectors in float16. None keeps their own type, so that
        the predictions of the loaded model are the same, bit for bit.
    X, y : array-like, optional
        Rows on which the cost of `dtype` is measured: the file records the model's score before
        and after, and ``deepreservoir inspect`` shows it. Not for a model with several tasks.

    Returns
    -------
    Path

    Raises
    ------
    ArtifactError
        If the model is not one of deepreservoir's, a step before it is of a class that is not
        registered, or the model contains objects that only a pickle can store.
    NotFittedError
        If it is not fitted.

    Examples
    --------
    >>> import tempfile
    >>> from sklearn.datasets import load_digits
    >>> from deepreservoir import DeepReservoirClassifier, load, save
    >>> X, y = load_digits(return_X_y=True)
    >>> model = DeepReservoirClassifier(max_iter=3, random_state=0).fit(X, y)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = save(model, f"{folder}/digits.safetensors")
    ...     loaded = load(path)
    >>> bool((loaded.predict_proba(X) == model.predict_proba(X)).all())
    True
    """
    return container.write(path, pack(model, dtype=dtype, X=X, y=y))


def pack(model: Any, *, dtype: str | None = None, X: Any = None, y: Any = None) -> Contents:
    """Return the contents that :func:`save` writes."""
    if dtype is not None and dtype not in SAVED_DTYPES:
        raise ArtifactError(
            f"dtype must be one of {', '.join(SAVED_DTYPES)} or None; got {dtype!r}"
        )
    estimator, steps, tensors = steps_of(model)
    known = _kind_of(type(estimator).__name__)
    if known is None or type(estimator) is not known[1]:
        raise ArtifactError(
            f"a model to save must be one of {_known_names()}, or a pipeline that ends in one; got "
            f"{type(estimator).__name__}. Register a deep estimator of your own with the decorator "
            "deepreservoir.register_estimator"
        )
    if X is None and y is not None:
        raise ArtifactError("y is given without X: pass the rows of these targets too")
    if X is not None and y is None and _scores_targets(estimator):
        raise ArtifactError("X and y must be passed together: rows and their targets")
    kind, _ = known
    contents: Contents = kind.contents_of(estimator)
    if X is not None and len(getattr(estimator, "tasks_", ())) > 1:
        raise ArtifactError(
            "the cost of dtype is measured on rows of one task, but the model has several; omit X "
            "and y, and compare score(X, y, task) of the model and of the loaded model"
        )
    if isinstance(model, Pipeline):
        contents.document["preprocessing"] = {"steps": steps, "estimator": model.steps[-1][0]}
        contents.tensors.update(tensors)
    if dtype is not None:
        for name in kind.adapter_names(contents):
            contents.dtypes[name] = _dtype_of(contents.tensors[name].shape, dtype)
        contents.document["precision"] = _precision(model, contents, dtype, X, y)
    check_depth(contents.document, "the description of the model")
    return contents


def _scores_targets(estimator: Any) -> bool:
    """Return whether an estimator's score needs y."""
    known = signature(estimator.score).parameters.get("y")
    return known is not None and known.default is Parameter.empty


def _dtype_of(shape: tuple[int, ...], dtype: str) -> str:
    """Return the type in which a trained array is stored: a small one or a vector in 16 bits."""
    return "float16" if dtype in QUANTISED_DTYPES and not is_quantised(shape) else dtype


def _precision(model: Any, contents: Contents, dtype: str, X: Any, y: Any) -> dict[str, Any]:
    """Return the cost of storing the trained parameters in fewer bits."""
    tensors, error = dict(contents.tensors), 0.0
    for name, kept_as in contents.dtypes.items():
        values = contents.tensors[name]
        tensors[name] = rounded(values, kept_as, f"tensor {name!r}")
        largest = float(np.abs(values).max())
        if largest:
            error = max(error, float(np.abs(tensors[name] - values).max()) / largest)
    cost: dict[str, Any] = {"dtype": dtype, "largest_error": error}
    if X is None:
        return cost
    loaded = unpack(Contents(contents.document, tensors, contents.dtypes))
    with suppress(TypeError):  # the path of a text has no rows
        cost["rows"] = int(_num_samples(X))
    return cost | {
        "score": float(model.score(X, y)),
        "score_rounded": float(loaded.score(X, y)),
    }


def load(
    path: str | os.PathLike[str], device: DeviceName = "cpu", *, max_bytes: int = MAX_BYTES
) -> Any:
    """Load a saved model; its scaffold is redrawn from the seed and checked.

    Parameters
    ----------
    path : str or path
    device : {"cpu", "cuda", "cuda:N", "auto"}, default="cpu"
        Where the model will run; the file does not depend on a device.
    max_bytes : int, default=2 GiB
        Limit on the size of the file, and on the bytes for drawing its scaffold.

    Returns
    -------
    estimator or Pipeline
        As it was saved. The training history, and the statistics that ``partial_fit`` of an
        echo-state network has accumulated, are not in the file.

    Raises
    ------
    ArtifactError
        If the file is damaged, is of another version, needs more than `max_bytes`, does not
        describe a model of deepreservoir, or if the redrawn scaffold is not that of the saved
        model.
    OSError
        If the file cannot be opened.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from deepreservoir import DeepReservoirClassifier, load, save
    >>> X, y = np.eye(6), [0, 1, 2] * 2
    >>> model = DeepReservoirClassifier((8,), rank=2, max_iter=3, random_state=0).fit(X, y)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     loaded = load(save(model, f"{folder}/model.safetensors"))
    >>> loaded.scaffold_seed_ == model.scaffold_seed_, loaded.score(X, y) == model.score(X, y)
    (True, True)
    """
    return load_contents(container.read(path, max_bytes), path, device, max_bytes)


def load_contents(
    contents: Contents, path: str | os.PathLike[str], device: str, max_bytes: int
) -> Any:
    """Return the model of a file that has been read; see :func:`load`."""
    resolved = resolve_device(device)
    with computing_on(resolved, "loading the model"):
        return _named(path, lambda: unpack(contents, resolved, max_bytes))


def attach(model: Any, path: str | os.PathLike[str], *, max_bytes: int = MAX_BYTES) -> Any:
    """Load a model onto the scaffold of `model`, which is already in memory.

    Nothing is drawn and no frozen weight is copied, so many models can share one scaffold. See
    :func:`deepreservoir.predict_many` for predicting with all of them together.

    Parameters
    ----------
    model : estimator or Pipeline
        A fitted deep estimator; it is not modified.
    path : str or path
        A file of a model with the same scaffold: seed, family, scale and hidden layers.
    max_bytes : int, default=2 GiB
        Limit on the size of the file.

    Returns
    -------
    estimator or Pipeline
        As it was saved, on the device of `model`.

    Raises
    ------
    ArtifactError
        As in :func:`load`, and if the scaffold of the file is not that of `model`.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from deepreservoir import DeepReservoirClassifier, attach, save
    >>> X = np.eye(6)
    >>> model = DeepReservoirClassifier((8,), rank=2, max_iter=3, scaffold_seed=1, random_state=0)
    >>> other = DeepReservoirClassifier((8,), rank=1, max_iter=3, scaffold_seed=1, random_state=0)
    >>> model.fit(X, [0, 1, 2] * 2), other.fit(X, [0, 1] * 3)  # doctest: +ELLIPSIS
    (...)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     attached = attach(model, save(other, f"{folder}/other.safetensors"))
    >>> attached.network_.scaffolds["layers.0"] is model.network_.scaffolds["layers.0"]
    True
    """
    estimator = model.steps[-1][1] if isinstance(model, Pipeline) else model
    network = getattr(estimator, "network_", None)
    if network is None:
        raise ArtifactError(
            f"a model to attach to must be a fitted deep estimator; got {type(estimator).__name__}"
        )
    in_memory = network.digests()

    def work() -> Any:
        contents = container.read(path, max_bytes)
        in_file = _digests(contents.document)
        for layer in sorted(in_memory.keys() | in_file.keys()):
            if in_memory.get(layer) != in_file.get(layer):
                raise ArtifactError(
                    f"the adapter belongs to other frozen weights: layer {layer!r} has digest "
                    f"{in_file.get(layer)}, the one in memory {in_memory.get(layer)}"
                )
        return unpack(contents, network.device, max_bytes, network.scaffolds)

    return _named(path, work)


def _digests(document: dict[str, Any]) -> dict[str, str]:
    scaffold = entry(document, "the document", "scaffold", dict)
    layers = entry(scaffold, "scaffold", "layers", list)
    label = "a layer of the scaffold"
    return {entry(la, label, "path", str): entry(la, label, "digest", str) for la in layers}


def check_is_model(contents: Contents) -> None:
    """Raise an ArtifactError if the contents are a checkpoint of a training run."""
    if contents.document.get("kind") == KIND:
        raise ArtifactError(
            "this is a checkpoint of a training run and not a model; the same call of fit "
            "continues from it: fit(..., checkpoint=path), or --checkpoint on the command line"
        )


def unpack(
    contents: Contents,
    device: Device = "cpu",
    max_bytes: int = MAX_BYTES,
    ready: Mapping[str, Any] | None = None,
) -> Any:
    """Return the model that the contents describe; see :func:`load`."""
    check_is_model(contents)
    name = contents.document.get("estimator")
    known = _kind_of(name)
    if known is None:
        raise ArtifactError(
            f"the file contains a {name!r:.60}, which is not registered; the registered ones are "
            f"{_known_names()}. Import the package that defines it, with "
            "@deepreservoir.register_estimator on the class, before loading the file"
        )
    kind, cls = known
    model = kind.rebuild(cls, contents, device, max_bytes, ready)
    if "preprocessing" in contents.document:
        model = pipeline_of(model, contents.document["preprocessing"], contents.tensors)
    return model


def _named(path: str | os.PathLike[str], work: Callable[[], Any]) -> Any:
    """Call `work`, which reads a file, and add the name of the file to its errors."""
    try:
        return work()
    except ArtifactError as error:
        text = str(error)
        known = text.startswith(f"{Path(path)}: ")
        raise ArtifactError(text if known else f"{path}: {text}") from None
