"""Which tests run on a device, and how: ``--device cpu``, ``standin`` or ``cuda``.

On a device, real or not, estimators and networks that ask for the CPU are given the device,
so the same tests are asked of both. Without one, the tests of device code in `tests/device` are
left out, unless their paths are given: they take minutes, and `--device standin` runs them.
"""

from __future__ import annotations

import gc
import os
import sys
from functools import cache
from itertools import compress
from pathlib import Path
from types import ModuleType

import pytest

TESTS = Path(__file__).parent
sys.path.insert(0, str(TESTS / "device"))

import target  # noqa: E402
from quick_tests import QUICK  # noqa: E402

#: Folders whose tests run on a device too, unless they are marked `host`.
ON_DEVICES = {"artifact", "engine", "estimators", "esn", "scaffold", "device"}

_problem = pytest.StashKey[str | None]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--device",
        choices=("cpu", "standin", "cuda"),
        help="where tests run: on the CPU (the default), on the strict stand-in for CuPy, or on "
        "a GPU (the default under `-m gpu`)",
    )


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("numprocesses", None):
        # Tests that run side by side (`-n auto`) have a core each. The processes that run them read
        # this as they start: the filters of warnings import scikit-learn before any conftest.
        for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
            os.environ.setdefault(name, "1")
    mode = config.option.device or ("cuda" if config.option.markexpr == "gpu" else "cpu")
    config.option.device = mode
    config.stash[_problem] = None
    if mode == "standin":
        import standin

        standin.install()
    if mode == "cpu":
        return
    from deepreservoir import backend

    config.stash[_problem] = backend.cuda_problem()
    if config.stash[_problem] is None:
        target.use_cuda()
        _give_the_device(backend)


def _give_the_device(backend: ModuleType) -> None:
    """Turn every wish for the CPU into one for the device, before anything asks."""
    resolve = backend.resolve_device

    def resolve_to_device(device: str) -> str:
        resolve(device)  # an unknown name is still refused
        return "cuda"

    resolve_to_device.as_asked = resolve  # type: ignore[attr-defined]
    backend.resolve_device = resolve_to_device
    from deepreservoir.network import Network

    Network.__init__.__kwdefaults__["device"] = "cuda"


@pytest.hookimpl(tryfirst=True)  # before `-m gpu` selects
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    mode, problem = config.option.device, config.stash[_problem]
    for item in items:
        host, able = item.get_closest_marker("host"), _runs_on_devices(item)
        if able and host is None:
            item.add_marker(pytest.mark.gpu)
            if problem is not None:
                item.add_marker(pytest.mark.skip(reason=f"no GPU: {problem}"))
        elif mode != "cpu":
            reason = host.kwargs["reason"] if host else "it has no part that runs on a device"
            item.add_marker(pytest.mark.skip(reason=f"on the host only: {reason}"))
        if mode == "standin" and item.get_closest_marker("long_in_the_shim"):
            item.add_marker(pytest.mark.skip(reason="it would take long in the shim"))
        if _is_quick(item):
            item.add_marker(pytest.mark.quick)
    if mode == "cpu" and not _device_code_is_asked_for(config):
        left = [_only_emulates_a_device(item) for item in items]
        config.hook.pytest_deselected(items=list(compress(items, left)))
        items[:] = [item for item, leave in zip(items, left, strict=True) if not leave]


def pytest_collection_finish() -> None:
    """Leave what was collected out of garbage collections, of which every measured run makes one.

    Thousands of tests make it a few hundred thousand objects, which all stay until the end.
    """
    gc.collect()
    gc.freeze()


def _device_code_is_asked_for(config: pytest.Config) -> bool:
    """Return whether the command names tests of device code by their path."""
    paths = ((config.invocation_params.dir / arg.split("::")[0]).resolve() for arg in config.args)
    return any(path.is_relative_to(TESTS / "device") for path in paths)


def _only_emulates_a_device(item: pytest.Item) -> bool:
    """Return whether a test is about device code, and so runs under `--device standin` too."""
    return _within_tests(item.path).startswith("device/") and not any(
        map(item.get_closest_marker, ("host", "slow"))
    )


def _is_quick(item: pytest.Item) -> bool:
    return _within_tests(item.path) in QUICK and not item.get_closest_marker("slow")


def _runs_on_devices(item: pytest.Item) -> bool:
    return _within_tests(item.path).split("/")[0] in ON_DEVICES


@cache  # many tests are in one file
def _within_tests(path: Path) -> str:
    """Return the path of a file within the folder of tests; an empty one for any other file."""
    return path.relative_to(TESTS).as_posix() if path.is_relative_to(TESTS) else ""


@pytest.fixture(scope="session")
def xp() -> ModuleType:
    """The array module that tests run on: NumPy, the stand-in or CuPy."""
    return target.xp


@pytest.fixture
def transfers() -> object:
    """The counter of moves between host and device, which only the stand-in has."""
    import standin

    if not standin.installed():
        pytest.skip("only the stand-in counts what moves (--device standin)")
    return standin.transfers


@pytest.fixture(scope="session")
def device() -> str:
    """The device that tests run on, "cpu" or "cuda"."""
    return target.device
