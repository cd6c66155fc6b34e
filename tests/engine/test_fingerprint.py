"""Fingerprints of what decides a training: other values, types or structure are another."""

from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pytest
import scipy.sparse
from target import put
from training_tools import X, table

from deepreservoir.optim import SGD, AdamW
from deepreservoir.training import Plan, Resample, fingerprint

LONG = list(range(100_000))


@dataclass
class One:
    value: object


@dataclass
class Other:
    value: object


ARRAY = np.arange(6.0)
DIFFERENT = {
    "long lists": [LONG, [*LONG[:-1], 0], [*LONG[:50_000], -1, *LONG[50_001:]], LONG[:-1]],
    "long arrays": [np.array(LONG), np.array([*LONG[:50_000], -1, *LONG[50_001:]])],
    "lists of arrays": [[ARRAY, ARRAY], [ARRAY, ARRAY + 1], [ARRAY], [np.tile(ARRAY, 2)], []],
    "object arrays": [
        np.array([ARRAY, ARRAY[:2]], object),
        np.array([ARRAY, ARRAY[:3]], object),
        np.array([ARRAY[:2], ARRAY], object),
    ],
    "shapes": [ARRAY, ARRAY.reshape(2, 3), ARRAY.reshape(3, 2), ARRAY[None]],
    "types": [ARRAY, ARRAY.astype(np.float32), ARRAY.astype(int), ARRAY.tolist(), tuple(ARRAY)],
    "last digits": [0.1, 0.1 + 2**-56, np.float32(0.1), np.float64(0.1)],
    "zeros": [0, 0.0, -0.0, False, None, "0", b"0", "", b"", [], (), {}, set()],
    "ones": [1, 1.0, True, "1", np.int64(1), np.int32(1), np.bool_(True)],
    "neighbours": [["ab", "c"], ["a", "bc"], ["abc"], ["ab", "c", ""], [["ab"], "c"]],
    "nesting": [[[1], [2]], [[1, 2]], [1, [2]], [[1], 2], [1, 2], [[[1], [2]]]],
    "dicts": [{"a": 1}, {"a": 2}, {"b": 1}, {"a": {"b": 1}}, {"a": {"b": 2}}, {"a": [1]}, {1: 1}],
    "nested dicts": [{"a": {"b": [ARRAY]}}, {"a": {"b": [ARRAY + 1]}}, {"a": [ARRAY], "b": {}}],
    "dataclasses": [One(1), Other(1), One(2), One(One(1)), One([ARRAY]), One([ARRAY + 1])],
    "optimisers": [AdamW(), AdamW(beta1=0.8), SGD(), SGD(nesterov=False)],
    "plans": [
        Plan(AdamW(), 0.1),
        Plan(AdamW(), 0.2),
        Plan(AdamW(), 0.1, resample=Resample("step", 2)),
        Plan(AdamW(), 0.1, resample=Resample("step", 3)),
        Plan(AdamW(), 0.1, decayed=frozenset({"weight"})),
    ],
    "sets": [{1, 2}, {1, 3}, {1}, frozenset({1, 2}), [1, 2]],
    "matrices": [
        scipy.sparse.csr_matrix(np.eye(3)),
        scipy.sparse.csr_matrix(np.eye(3)[::-1]),
        scipy.sparse.csr_matrix(2 * np.eye(3)),
        scipy.sparse.csr_matrix(np.eye(3, 4)),
        np.eye(3),
    ],
    "inputs": [table(X), table(X + 1), table(X[:3])],
}


@pytest.mark.parametrize("name", DIFFERENT)
def test_what_differs_has_another_fingerprint(name):
    found = [fingerprint(value) for value in DIFFERENT[name]]
    for (i, one), (j, other) in combinations(enumerate(found), 2):
        assert one != other, (DIFFERENT[name][i], DIFFERENT[name][j])


@pytest.mark.parametrize("name", DIFFERENT)
def test_what_is_the_same_has_the_same_again(name):
    import copy

    for value in DIFFERENT[name]:
        assert fingerprint(copy.deepcopy(value)) == fingerprint(value)


def test_parts_are_kept_apart():
    assert len({fingerprint("ab", "c"), fingerprint("a", "bc"), fingerprint(["ab", "c"])}) == 3
    assert fingerprint() != fingerprint(None) != fingerprint(None, None)


def test_the_order_in_memory_does_not_matter():
    matrix = np.arange(6.0).reshape(2, 3)
    assert fingerprint(np.asfortranarray(matrix)) == fingerprint(matrix)
    assert fingerprint(np.repeat(matrix, 2, axis=1)[:, ::2]) == fingerprint(matrix)
    collide = [8 * i for i in range(5)]  # a set of these iterates in the order of insertion
    assert [*set(collide)] != [*set(collide[::-1])]  # noqa: C415
    assert fingerprint(set(collide)) == fingerprint(set(collide[::-1]))  # noqa: C415


def test_an_array_on_a_device_is_as_on_the_host():
    assert fingerprint(put(ARRAY)) == fingerprint(ARRAY)


@pytest.mark.parametrize(
    "value",
    [object(), lambda: 0, iter([1]), slice(1), One, np.random.default_rng(0)],
    ids=lambda v: type(v).__name__,
)
@pytest.mark.parametrize(
    "inside", [lambda v: v, lambda v: [1, {"a": One(v)}]], ids=["alone", "inside"]
)
def test_what_is_unknown_is_refused(value, inside):
    with pytest.raises(
        TypeError, match=f"a {type(value).__name__} cannot be part of a fingerprint"
    ):
        fingerprint(inside(value))
