"""The stand-in for CuPy refuses what CuPy refuses, and counts what moves."""

import copy
import pickle

import numpy as np
import pytest
import scipy.sparse
import standin
from cpu_kernels import compiler

pytestmark = pytest.mark.host(reason="it is about the stand-in itself")

MODULES = standin.modules()
cupy, cupyx = MODULES["cupy"], MODULES["cupyx"]
HOST = np.arange(6, dtype=np.float32).reshape(2, 3)


@pytest.fixture
def x():
    return cupy.asarray(HOST)


def moves(action):
    """Return how often data moved while `action` ran: (to the host, to the device)."""
    before = copy.copy(standin.transfers)
    action()
    after = standin.transfers
    return after.to_host - before.to_host, after.to_device - before.to_device


# Between host and device ------------------------------------------------------------


@pytest.mark.parametrize(
    "implicit",
    [
        np.asarray,
        np.array,
        np.sum,
        np.sqrt,
        np.copy,
        lambda x: np.concatenate([x]),
        lambda x: np.allclose(x, x),
        lambda x: np.multiply(x, 2),
        lambda x: np.zeros((2, 3)).__iadd__(x),
        lambda x: np.zeros((2, 3)).__setitem__(0, x[0]),
    ],
)
def test_nothing_becomes_a_numpy_array_unasked(implicit, x):
    with pytest.raises(TypeError):
        implicit(x)


@pytest.mark.parametrize(
    "mixed",
    [
        lambda x: x + HOST,
        lambda x: HOST + x,
        lambda x: HOST @ x.T,
        lambda x: x @ HOST.T,
        lambda x: x == HOST,
        lambda x: x.__iadd__(HOST),
        lambda x: x.dot(HOST.T),
        lambda x: x.__setitem__(0, HOST[0]),
        lambda x: x.take(np.array([0])),
        lambda x: x.fill(HOST),
        lambda x: cupy.maximum(x, HOST),
        lambda x: cupy.add(x, x, out=HOST.copy()),
        lambda x: cupy.add(x, x, HOST.copy()),
        lambda x: cupy.concatenate([x, HOST]),
        lambda x: cupy.where(HOST > 0, x, x),
        lambda x: cupy.linalg.norm(HOST),
        lambda x: cupyx.scipy.special.erf(HOST),
        lambda x: cupy.zeros_like(HOST),
        lambda x: cupy.empty_like(HOST),
        lambda x: cupyx.scipy.sparse.csr_matrix(x).dot(HOST.T),
        lambda x: x.set(HOST.tolist()),
    ],
)
def test_numpy_arrays_are_refused_beside_those_of_the_device(mixed, x):
    with pytest.raises(TypeError):
        mixed(x)


def test_python_and_numpy_numbers_are_welcome_on_both_sides(x):
    for number in (2, 2.0, np.float32(2)):
        for result in (number * x, x * number, number - x, x**number):
            assert result.dtype == np.float32
    assert (np.float64(2) * x).dtype == np.float64  # as NumPy 2 promotes
    assert (x + cupy.ones(3)).dtype == np.float64


def test_numbers_stay_on_the_device(x):
    for result in (x.sum(), x[0, 0], cupy.vdot(x, x), cupy.allclose(x, x), x.mean(), x.argmax()):
        assert type(result) is cupy.ndarray
        assert result.shape == ()


@pytest.mark.parametrize(
    ("action", "count"),
    [
        (lambda x: float(x[0, 0]), (1, 0)),
        (lambda x: int(x[0, 1]), (1, 0)),
        (lambda x: bool(x.all()), (1, 0)),
        (lambda x: x.sum().item(), (1, 0)),
        (lambda x: x.get(), (1, 0)),
        (lambda x: x.tolist(), (1, 0)),
        (lambda x: f"{x.sum():.2f}", (1, 0)),
        (lambda x: cupy.asnumpy(x), (1, 0)),
        (lambda x: cupy.nonzero(x), (1, 0)),
        (lambda x: x.nonzero(), (1, 0)),
        (lambda x: cupy.unique(x), (1, 0)),
        (lambda x: x[x > 1], (1, 0)),
        (lambda x: pickle.dumps(x), (1, 0)),
        (lambda x: cupy.asarray(HOST), (0, 1)),
        (lambda x: cupy.array([1.0, 2.0]), (0, 1)),
        (lambda x: x[np.array([0, 1])], (0, 1)),
        (lambda x: x[[1, 0]], (0, 1)),
        (lambda x: x.set(HOST), (0, 1)),
        (lambda x: cupy.asarray(x), (0, 0)),
        (lambda x: cupy.ascontiguousarray(x.T), (0, 0)),
        (lambda x: copy.deepcopy(x), (0, 0)),
        (lambda x: (x @ x.T).sum() / len(x), (0, 0)),
        (lambda x: cupy.full((2, 2), 3.0), (0, 0)),
        (lambda x: x[cupy.arange(2)], (0, 0)),
    ],
)
def test_what_moves_is_counted(action, count, x):
    assert moves(lambda: action(x)) == count


def test_the_array_module_is_that_of_the_arrays(x):
    assert cupy.get_array_module(x, HOST) is cupy
    assert cupy.get_array_module(HOST) is np


# Names, keywords, memory ------------------------------------------------------------


@pytest.mark.parametrize(
    ("unknown", "message"),
    [
        (lambda x: cupy.errstate, "the stand-in has no cupy.errstate: add it if CuPy has it"),
        (lambda x: cupy.vecdot, "no cupy.vecdot"),
        (lambda x: cupy.linalg.vector_norm, "no cupy.linalg.vector_norm"),
        (lambda x: cupyx.scipy.linalg.cho_solve, "no cupyx.scipy.linalg.cho_solve"),
        (lambda x: x.flat, "flat"),
        (lambda x: x.mistake, "mistake"),
    ],
)
def test_names_that_are_missing_are_named(unknown, message, x):
    with pytest.raises(AttributeError, match=message):
        unknown(x)


@pytest.mark.parametrize(
    "call",
    [
        lambda x: cupy.add(x, x, where=x > 1),
        lambda x: cupy.exp(x, order="C"),
        lambda x: cupy.sum(x, initial=0),
        lambda x: x.sum(initial=0),
        lambda x: x.max(where=x > 1),
        lambda x: cupy.take(x, cupy.arange(2), mode="clip"),
        lambda x: cupy.unique(x, sorted=True),
        lambda x: cupy.linalg.cholesky(x @ x.T, upper=True),
        lambda x: cupy.zeros((2, 2), np.float32, "C", None),
        lambda x: cupy.maximum(x, [1, 2, 3]),
        lambda x: range(x[0, 0]),
    ],
)
def test_keywords_and_arguments_that_cupy_has_not_are_refused(call, x):
    with pytest.raises(TypeError):
        call(x)


def test_only_numbers_can_lie_on_a_device():
    for values in (["a"], [None], [{}]):
        with pytest.raises(ValueError, match="Unsupported dtype"):
            cupy.array(values)


def test_fresh_memory_shows_that_nothing_was_written():
    for empty in (cupy.empty((2, 2)), cupy.empty(3, np.float32), cupy.empty_like(cupy.ones(2))):
        assert cupy.isnan(empty).all()
    assert (cupy.empty(3, np.int64) != 0).all()


def test_views_share_memory_and_copies_do_not(x):
    x.reshape(-1)[0] = 9
    x[1:].T[0] = 8
    assert x.get().tolist() == [[9, 1, 2], [8, 4, 5]]
    for copied in (copy.copy(x), copy.deepcopy(x), x.copy(), pickle.loads(pickle.dumps(x))):
        assert type(copied) is cupy.ndarray
        assert not cupy.shares_memory(copied, x)
        assert (copied == x).all()
    x += 1
    assert x[0, 0] == 10


@pytest.mark.parametrize("index", [([0, 0],), (np.array([1, 0, 1]), slice(None)), ([0, 0], [1, 1])])
def test_an_assignment_to_the_same_place_twice_is_refused(index, x):
    with pytest.raises(IndexError, match="duplicate indices"):
        x[index] = 1
    with pytest.raises(IndexError, match="duplicate indices"):
        x[tuple(cupy.asarray(i) if not isinstance(i, slice) else i for i in index)] -= 1


def test_scatter_add_is_the_way_to_add_twice(x):
    cupyx.scatter_add(x, (cupy.array([0, 0]), cupy.array([1, 1])), 1)
    assert x.get().tolist() == [[0, 3, 2], [3, 4, 5]]


# Linear algebra, kernels, devices ------------------------------------------------------------


def test_linear_algebra_fails_in_silence_unless_it_is_told_to_raise():
    a = -cupy.eye(2)
    assert cupy.isnan(cupy.linalg.cholesky(a)).all()
    with cupyx.errstate(linalg="raise"), pytest.raises(np.linalg.LinAlgError):
        cupy.linalg.cholesky(a)
    assert cupy.isnan(cupy.linalg.solve(cupy.zeros((2, 2)), cupy.ones(2))).all()


def test_a_triangular_system_is_solved():
    a = cupy.array([[2.0, 0.0], [1.0, 4.0]])
    solved = cupyx.scipy.linalg.solve_triangular(a, cupy.array([2.0, 9.0]), lower=True)
    assert solved.get().tolist() == [1, 2]


def test_sparse_products_stay_on_the_device(x):
    matrix = cupyx.scipy.sparse.csr_matrix(scipy.sparse.csr_matrix(HOST))
    assert type(matrix @ x.T) is cupy.ndarray
    assert (matrix @ x.T == x @ x.T).all()
    with pytest.raises(ValueError, match="Only bool, float32"):
        cupyx.scipy.sparse.csr_matrix(scipy.sparse.csr_matrix(HOST.astype(int)))


def test_there_is_one_device_and_all_is_done_at_once():
    assert cupy.cuda.runtime.getDeviceCount() == 1
    cupy.cuda.Stream.null.synchronize()
    cupy.get_default_memory_pool().free_all_blocks()
    with cupy.cuda.Device(0):
        pass
    with pytest.raises(cupy.cuda.runtime.CUDARuntimeError):
        cupy.cuda.Device(1)


@pytest.mark.skipif(compiler() is None, reason="g++ is not there to build the kernels")
def test_raw_kernels_run_their_source_on_arrays_of_the_device_alone(x):
    source = r"""
    extern "C" __global__ void add(float* x, float what, int n) {
      int i = blockIdx.x * blockDim.x + threadIdx.x;
      if (i < n) x[i] += what;
    }
    """
    numbers = np.float32(10), np.int32(6)
    for kernel in (cupy.RawKernel(source, "add"), cupy.RawModule(code=source).get_function("add")):
        kernel((1,), (32,), (x, *numbers))
        with pytest.raises(TypeError, match="Unsupported type"):
            kernel((1,), (32,), (HOST.copy(), *numbers))
        with pytest.raises(ValueError, match="C-contiguous"):
            kernel((1,), (32,), (x.T, *numbers))
    np.testing.assert_array_equal(x.get(), HOST + 20)
