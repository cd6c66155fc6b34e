"""Estimators compute on the device of their parameter, and say what helps if it lacks memory."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from types import FunctionType
from typing import Any

from ...device_scope import computing_on
from ...scaffold import get_family

#: The methods that compute. Wherever a class defines one, it runs on the device of `device`.
COMPUTING = (
    "fit",
    "partial_fit",
    "predict",
    "predict_proba",
    "predict_log_proba",
    "decision_function",
    "transform",
    "score",
    "perplexity",
    "generate",
    "states",
    "forecast",
)


class OnDevice:
    """Base of estimators with a parameter `device`.

    During each method of :data:`COMPUTING`, the device is CuPy's current one, and errors for lack
    of memory or of the CUDA toolkit say what to do.
    """

    device: str

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        for name in COMPUTING:
            method = vars(cls).get(name)
            if isinstance(method, FunctionType):
                setattr(cls, name, _on_device(method))


def _on_device(method: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(method)
    def computed(self: Any, *args: Any, **kwargs: Any) -> Any:
        work = f"{type(self).__name__}.{method.__name__}"
        with computing_on(self.device, work, lambda: smaller(self)):
            return method(self, *args, **kwargs)

    return computed


def smaller(estimator: Any, frozen: int | None = None) -> list[str]:
    """Return the parameters of an estimator that would take less memory, as parts of a sentence.

    Parameters
    ----------
    estimator : estimator
    frozen : int, optional
        Bytes of its frozen weights, if they are known.
    """
    params = estimator.get_params(deep=False)
    full = params.get("adapter") == "full"
    found = []
    if "batch_size" in params:
        found.append(f"a smaller batch_size (now {params['batch_size']!r})")
    if "hidden_layer_sizes" in params:
        found.append(f"narrower hidden_layer_sizes (now {params['hidden_layer_sizes']!r})")
    if full:
        found.append("adapter='lora', which trains fewer parameters (now 'full')")
    unpacked = params.get("storage") in ("auto", "dense") and not full and frozen != 0
    if unpacked and "packed" in get_family(params["scaffold"]).construction.storages:
        found.append(
            "storage='packed' or storage='streamed', which do not hold the frozen weights in "
            f"float32 (now {params['storage']!r})"
        )
    if params.get("recompute") is False:
        found.append("recompute=True, which keeps the activations of one block (now False)")
    adapted = getattr(estimator, "adapted_embeddings", None)
    if adapted is not None and params["embeddings"] == "trained" and not full:
        found.append(f"embeddings={adapted!r}, which trains an adapter of them (now 'trained')")
    if params.get("dtype") == "float64":
        found.append("dtype='float32' (now 'float64')")
    return found
