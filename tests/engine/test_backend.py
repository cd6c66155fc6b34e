"""Devices: which are refused and with which remedy, and that nothing moves implicitly."""

from types import SimpleNamespace

import numpy as np
import pytest

from deepreservoir import backend

pytestmark = pytest.mark.host(reason="devices are faked here, to see which one is chosen")


class DeviceArray:
    """Stands for an array that is not on the host."""


def fake_cupy(count):
    def device_count():
        if isinstance(count, Exception):
            raise count
        return count

    runtime = SimpleNamespace(getDeviceCount=device_count)
    return SimpleNamespace(
        cuda=SimpleNamespace(runtime=runtime),
        asarray=lambda array: ("moved to the device", array),
        asnumpy=lambda array: np.array([1.0, 2.0]),
    )


@pytest.fixture
def without_cupy(monkeypatch):
    def missing():
        raise ImportError("No module named 'cupy'")

    monkeypatch.setattr(backend, "_cupy", missing)


@pytest.fixture
def with_cupy(monkeypatch):
    def install(count):
        cupy = fake_cupy(count)
        monkeypatch.setattr(backend, "_cupy", lambda: cupy)
        return cupy

    return install


# Which device ------------------------------------------------------------


@pytest.mark.parametrize(
    "device", ["gpu", "CPU", "cuda:", "cuda:01", "cuda:-1", "cuda:1 ", "auto:0", "", None, 0]
)
def test_an_unknown_device_is_refused_with_the_known_ones(device):
    with pytest.raises(ValueError, match="one of cpu, cuda, cuda:N, auto; got") as error:
        backend.resolve_device(device)
    assert repr(device) in str(error.value)


def test_cpu_never_asks_for_a_gpu(monkeypatch):
    monkeypatch.setattr(backend, "_cupy", lambda: pytest.fail("asked for CuPy"))
    assert backend.resolve_device("cpu") == "cpu"


def test_cuda_without_cupy_is_refused_with_what_to_install(without_cupy):
    with pytest.raises(ValueError, match="device='cuda' is not available: CuPy is not") as error:
        backend.resolve_device("cuda")
    assert "pip install 'deepreservoir[cuda12]'" in str(error.value)
    assert "device='cpu'" in str(error.value)


@pytest.mark.parametrize(
    ("count", "message"),
    [(0, "finds no CUDA device"), (RuntimeError("driver too old"), r"responds \(driver too old\)")],
)
def test_cuda_without_a_device_is_refused_with_the_cause(with_cupy, count, message):
    with_cupy(count)
    with pytest.raises(ValueError, match=f"device='cuda' is not available: .*{message}"):
        backend.resolve_device("cuda")


@pytest.mark.parametrize("device", ["cuda", "auto"])
def test_cuda_is_used_where_a_device_answers(with_cupy, device):
    with_cupy(1)
    assert backend.cuda_problem() is None
    assert backend.resolve_device(device) == "cuda"


def test_auto_is_the_cpu_elsewhere(without_cupy):
    assert backend.resolve_device("auto") == "cpu"


def test_auto_is_the_cpu_where_cupy_finds_no_device(with_cupy):
    with_cupy(0)
    assert backend.resolve_device("auto") == "cpu"


# Which module ------------------------------------------------------------


def test_host_arrays_and_numpy_scalars_belong_to_numpy():
    assert backend.array_module(np.zeros(2), np.float32(1)) is np


def test_device_arrays_belong_to_cupy(with_cupy):
    cupy = with_cupy(1)
    assert backend.array_module(DeviceArray(), DeviceArray()) is cupy


@pytest.mark.parametrize("order", [1, -1])
def test_mixed_arrays_are_refused_with_both_kinds_and_the_remedy(order):
    arrays = (np.zeros(2), DeviceArray())[::order]
    with pytest.raises(TypeError, match="all arrays must be on one device") as error:
        backend.array_module(*arrays)
    for part in ("numpy.ndarray", f"{__name__}.DeviceArray", "to_device", "to_host"):
        assert part in str(error.value)


# Moves ------------------------------------------------------------


def test_a_host_array_is_not_copied_on_its_way_to_the_host():
    array = np.zeros(3)
    assert backend.to_host(array) is array
    assert backend.to_device(array, "cpu") is array


def test_arrays_move_through_cupy(with_cupy):
    with_cupy(1)
    array = np.zeros(3)
    assert backend.to_device(array, "cuda") == ("moved to the device", array)
    np.testing.assert_array_equal(backend.to_host(DeviceArray()), [1.0, 2.0])
    np.testing.assert_array_equal(backend.to_device(DeviceArray(), "cpu"), [1.0, 2.0])


@pytest.mark.host(reason="CuPy is not imported")
def test_what_is_no_array_is_refused():
    with pytest.raises(TypeError, match=r"expected arrays of NumPy, .* got list"):
        backend.array_module([1.0])
