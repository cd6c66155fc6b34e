"""Every CUDA source of the package compiles for real chips; no driver is needed for that."""

import importlib
import pkgutil

import pytest

from deepreservoir import kernels

pytestmark = [
    pytest.mark.compile,
    pytest.mark.host(reason="compiling needs no device, and CuPy itself instead of the stand-in"),
]

ARCHITECTURES = ("80", "90")
GOOD = r"""
extern "C" __global__ void leaky(const float* x, float* y, float rate, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) y[i] = (1.f - rate) * y[i] + rate * tanhf(x[i]);
}
"""


def sources():
    """Return the source of each kernel of the package, by name."""
    for module in pkgutil.iter_modules(kernels.__path__):
        importlib.import_module(f"{kernels.__name__}.{module.name}")  # it registers its kernels
    return {kernel.name: kernel.source for kernel in kernels.cuda.all_kernels()}


@pytest.fixture(scope="module")
def compiler():
    """CuPy's own use of NVRTC."""
    pytest.importorskip("cupy", reason="CuPy is not installed", exc_type=ImportError)
    compiler = pytest.importorskip("cupy.cuda.compiler")
    try:
        compiler.nvrtc.getVersion()
    except Exception as error:  # a library that is not there is told in many ways
        pytest.skip(f"NVRTC is not installed ({error})")
    return compiler


def build(compiler, source, architecture, method):
    """Return PTX or a cubin, built with the flags that CuPy adds to every kernel."""
    # CuPy has no public way to compile for a chip that is not there.
    program = compiler._NVRTCProgram(source, "kernel.cu", method=method)
    kind = "compute" if method == "ptx" else "sm"
    built, _ = program.compile(("-std=c++17", "-ftz=true", f"-arch={kind}_{architecture}"))
    return built if isinstance(built, bytes) else built.encode()


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_every_kernel_compiles(compiler, architecture):
    found = sources()
    assert found
    for name, source in found.items():
        ptx = build(compiler, source, architecture, "ptx")
        assert f".target sm_{architecture}".encode() in ptx
        assert f".entry {name}(".encode() in ptx
        assert build(compiler, source, architecture, "cubin").startswith(b"\x7fELF")


def test_an_error_in_a_kernel_is_found(compiler):
    build(compiler, GOOD, "80", "cubin")
    with pytest.raises(compiler.CompileException, match="rate"):
        build(compiler, GOOD.replace("float rate", "float* rate"), "80", "cubin")
