"""What tests of single kernels run on, also where the rest of the run is on the host."""

import sys

import cpu_kernels
import pytest
import standin
import target

from deepreservoir import backend
from deepreservoir.kernels import cuda
from deepreservoir.network import Network


@pytest.fixture
def cupy(monkeypatch):
    """CuPy: the one that the tests run on or, on the host, the stand-in for this one test."""
    if target.device == "cuda":
        return target.xp
    if cpu_kernels.compiler() is None:
        pytest.skip("without g++ no kernel runs on the CPU")
    modules = standin.modules()
    for name, module in modules.items():
        monkeypatch.setitem(standin.sys.modules, name, module)
    return modules["cupy"]


@pytest.fixture
def both_devices(cupy, monkeypatch):
    """CuPy, and ``device="cpu"`` of an estimator is the CPU whatever the tests run on."""
    as_asked = getattr(backend.resolve_device, "as_asked", backend.resolve_device)
    for name, module in list(sys.modules.items()):
        if name.startswith("deepreservoir.") and hasattr(module, "resolve_device"):
            monkeypatch.setattr(module, "resolve_device", as_asked)
    monkeypatch.setitem(Network.__init__.__kwdefaults__, "device", "cpu")
    return cupy


@pytest.fixture(params=cpu_kernels.ORDERS)
def thread_order(request, cupy):
    """All of the test three times: a kernel without a race does not depend on the order."""
    with cpu_kernels.thread_order(request.param):
        yield request.param


@pytest.fixture(params=[None, 2], ids=["any grid", "two blocks"])
def grid(request, monkeypatch):
    """The usual grid, and one so small that the loops of a kernel have to do the rest."""
    if request.param is not None:
        monkeypatch.setattr(cuda, "_MAX_BLOCKS", request.param)
