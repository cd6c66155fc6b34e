"""The outputs of a fitted network for new samples, decoded on the host."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from ...backend import Array, Device, is_on_device, present_device, to_device, to_host
from ...choices import DeviceName
from ...inputs import Inputs
from ...network import Network
from .device_input import place_of
from .own_reader import OwnReader
from .table_validation import TableValidation


class Predicting(TableValidation, OwnReader):
    """Base of estimators that predict with one network."""

    device: DeviceName
    network_: Network

    @abstractmethod
    def _move(self, device: Device) -> None:
        """Move the fitted network to a device."""

    def _inputs(self, X: Any) -> Inputs:
        """Return X, validated, as inputs on the network's device."""
        return self._inputs_and_dtype(X)[0]

    def _inputs_and_dtype(self, X: Any) -> tuple[Inputs, Any]:
        """Return X as inputs, and the type in which it was given, if it has one."""
        check_is_fitted(self, "network_")
        # A model may be loaded where its device is not available: then the CPU is used.
        self._move(present_device(self.device))
        network = self.network_
        on_host = self._prediction_dtype()  # which checks parameters, also for a device
        dtype = np.dtype(on_host if network.device == "cpu" else network.dtype)
        X = self.validated_features(X, place_of(network.device, X=X) == "cuda")
        return self._current_reader().read(X, dtype, network.device), type_of(X)

    def _views(self, inputs: Inputs) -> list[Inputs]:
        """Return the inputs whose outputs a prediction averages; by default only these."""
        return [inputs]

    def _prediction_dtype(self) -> Any:
        """Return the type in which predictions are computed on the host."""
        return self.network_.config.prediction_dtype or self.network_.dtype

    def _result_dtype(self, given: Any) -> np.dtype[Any]:
        """Return the type of real numbers that result from an X of type `given`."""
        return np.dtype(np.float32 if given == np.float32 else np.float64)

    def _decoded(self, X: Any, decode: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        """Return the outputs of the network, decoded a chunk of samples at a time."""
        inputs = self._inputs(X)  # which may move the network
        return host_outputs(self.network_, inputs, decode)

    def _decoded_reals(self, X: Any, decode: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        """Return decoded outputs that are real numbers, in the type that belongs to X."""
        inputs, given = self._inputs_and_dtype(X)
        dtype = self._result_dtype(given)
        return host_outputs(
            self.network_, inputs, lambda outputs: decode(outputs).astype(dtype, copy=False)
        )

    @staticmethod
    def _placed(values: np.ndarray, X: Any) -> Array:
        """Return results on the device of the rows that they belong to."""
        if not is_on_device(X):
            return values
        if values.dtype.kind not in "biuf":
            raise TypeError(
                f"CuPy arrays hold only numbers, but the classes are {values.dtype}: pass X as a "
                "NumPy array, or fit with numbers as classes"
            )
        return to_device(values, "cuda")


def host_outputs(
    network: Network, inputs: Inputs, decode: Callable[[np.ndarray], np.ndarray]
) -> np.ndarray:
    """Return decoded outputs on the host; `decode` receives float64, (m, n_outputs)."""
    return network.for_predictions(inputs.dtype).evaluate(
        inputs,
        lambda outputs, index, batch: decode(to_host(outputs).astype(np.float64, copy=False)),
    )


def type_of(X: Any) -> Any:
    """Return the type of the numbers of X, or None if X does not have one."""
    return getattr(X, "dtype", None)
