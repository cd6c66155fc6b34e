"""What a user reads where a device lacks memory, or the machine the CUDA toolkit."""

import numpy as np
import pytest

from deepreservoir import DeepReservoirClassifier, EchoStateRegressor, fit_many
from deepreservoir.device_scope import DeviceMemoryError, computing_on
from deepreservoir.network import Network

X = np.random.default_rng(0).standard_normal((60, 8))
Y = (X.sum(axis=1) > 0).astype(int)
SERIES = np.random.default_rng(1).standard_normal((80, 2))


class CompileException(Exception):
    """As CuPy calls what its compiler raises."""


@pytest.fixture
def full(both_devices, monkeypatch):
    """A device whose memory is full wherever an error is raised by `at`."""
    error = both_devices.cuda.memory.OutOfMemoryError

    def at(owner, name):
        def fail(*args, **kwargs):
            raise (
                error(2 << 30, 0, 0)
                if error.__init__ is not MemoryError.__init__
                else error(
                    "Out of memory allocating 2,147,483,648 bytes (allocated so far: 0 bytes)."
                )
            )

        monkeypatch.setattr(owner, name, fail)

    memory = (3 << 20, 80 << 30)
    monkeypatch.setattr(both_devices.cuda.runtime, "memGetInfo", lambda: memory)
    return at


def test_out_of_memory_says_what_was_needed_and_what_takes_less(full):
    model = DeepReservoirClassifier(
        (16,), rank=2, max_iter=1, batch_size=32, dtype="float64", device="cuda"
    )
    full(Network, "__init__")
    with pytest.raises(DeviceMemoryError) as error:
        model.fit(X, Y)
    assert str(error.value) == (
        "DeepReservoirClassifier.fit ran out of memory on device 'cuda': it needed another 2.0 "
        "GiB, and 3.0 MiB of 80.0 GiB were free. Try a smaller batch_size (now 32); or "
        "narrower hidden_layer_sizes (now (16,)); or storage='packed' or storage='streamed', "
        "which do not hold the frozen weights in float32 (now 'auto'); or dtype='float32' (now "
        "'float64'); or device='cpu'"
    )
    assert not hasattr(model, "network_")


def test_out_of_memory_in_predict_keeps_the_model(full, monkeypatch):
    model = DeepReservoirClassifier(
        (16,), rank=2, max_iter=1, storage="packed", device="cuda", random_state=0
    ).fit(X, Y)
    wanted = model.predict(X)
    with monkeypatch.context() as patch:
        evaluate = Network.evaluate
        full(Network, "evaluate")
        with pytest.raises(DeviceMemoryError, match=r"\.predict ran out .* device='cpu'") as error:
            model.predict(X)
        assert "storage=" not in str(error.value)  # it is packed already
        patch.setattr(Network, "evaluate", evaluate)
        np.testing.assert_array_equal(model.predict(X), wanted)


def test_a_reservoir_and_models_side_by_side_say_it_too(full):
    from deepreservoir.esn import ReservoirStack

    full(ReservoirStack, "__init__")
    with pytest.raises(DeviceMemoryError, match=r"EchoStateRegressor\.fit ran out of memory"):
        EchoStateRegressor(units=20, device="cuda").fit(SERIES, SERIES)
    full(Network, "__init__")
    models = [DeepReservoirClassifier((16,), rank=2, random_state=0, device="cuda")]
    with pytest.raises(DeviceMemoryError, match="fit_many ran out of memory"):
        fit_many(models, X, Y)


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("CuPy failed to load libnvrtc.so.12: OSError: cannot open shared object file"),
        ImportError("DLL load failed: nvrtc64_120_0.dll"),
        RuntimeError("Failed to auto-detect CUDA root directory. Please specify `CUDA_PATH`"),
        CompileException('catastrophic error: cannot open source file "cuda_fp16.h"\n1 error'),
    ],
)
def test_a_missing_toolkit_names_the_extra(error):
    with (
        pytest.raises(RuntimeError, match=r"(?s)work needs .* 'deepreservoir\[cuda12\]'") as raised,
        computing_on("cuda", "work"),
    ):
        raise error
    assert type(error).__name__ in str(raised.value)
    assert raised.value.__cause__ is error


@pytest.mark.parametrize(
    "error", [MemoryError("of the host"), CompileException("error: expected a )"), ValueError("X")]
)
def test_other_errors_pass_through(error):
    with pytest.raises(type(error)) as raised, computing_on("cuda", "work"):
        raise error
    assert raised.value is error
