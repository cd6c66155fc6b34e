"""Golden digests of the weights of every family.

These bytes are the file format of every saved model, so a change to a golden digest is a
new format version: raise `FORMAT_VERSION`, keep the old layout readable, and add digests;
never overwrite one.

A digest is the SHA-256 of the weights as float32, little end first, row by row. `orthogonal`
and `spectral_radius` rest on LAPACK, whose float64 results differ in their last bits from
one build to another. For these two a second digest, of the weights rounded to multiples of
1e-5, has to agree everywhere: a difference of 1e-15 reaches it with a probability of about
1e-8. Where only the exact digest differs, the test says so and skips.
"""

import hashlib
import json
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from target import device

from deepreservoir.scaffold import FAMILIES, ScaffoldSpec, make_scaffold, storage

GOLDEN = json.loads(Path(__file__).with_name("golden_digests.json").read_text("utf-8"))
USES_LAPACK = ("orthogonal", "spectral_radius")
EXACT = [entry for entry in GOLDEN if entry["family"] not in USES_LAPACK]
ROUNDED = [entry for entry in GOLDEN if entry["family"] in USES_LAPACK]


def name_of(entry):
    return f"{entry['family']}-{entry['scale']}-{entry['seed']}"


def spec_of(entry):
    fields = {key: entry[key] for key in ("family", "seed", "path", "scale")}
    return ScaffoldSpec(shape=tuple(entry["shape"]), **fields)


def sha256_of(weights):
    """The definition of a digest, from plain bytes."""
    assert weights.dtype == np.float32
    return hashlib.sha256(weights.astype("<f4").tobytes(order="C")).hexdigest()


def rounded_sha256_of(weights):
    """SHA-256 of the weights in units of 1e-5: 32-bit integers, little end first, by rows."""
    units = np.rint(weights.astype(np.float64) * 1e5).astype("<i4")
    return hashlib.sha256(units.tobytes(order="C")).hexdigest()


def storages_of(family):
    return {
        "orthogonal": ("dense",),
        "hadamard": ("structured",),
        "kronecker": ("structured",),
    }.get(family, ("dense", "packed", "streamed"))


def test_every_family_has_golden_digests_at_both_scales():
    found = {(entry["family"], entry["scale"]) for entry in GOLDEN}
    assert found == set(product(FAMILIES, (1.0, "family")))
    assert len({name_of(entry) for entry in GOLDEN}) == len(GOLDEN)


def test_every_iid_family_has_golden_digests_at_a_second_seed_and_path():
    for name, family in FAMILIES.items():
        places = {(entry["seed"], entry["path"]) for entry in GOLDEN if entry["family"] == name}
        assert len(places) == (2 if family.construction.iid else 1)


@pytest.mark.parametrize("entry", EXACT, ids=name_of)
def test_weights_have_their_golden_digest(entry):
    weights = make_scaffold(spec_of(entry), device=device).dense()
    assert sha256_of(weights) == entry["digest"]


@pytest.mark.parametrize("entry", ROUNDED, ids=name_of)
def test_weights_that_use_lapack_have_their_golden_digest_to_five_decimals(entry):
    weights = make_scaffold(spec_of(entry), device=device).dense()
    assert rounded_sha256_of(weights) == entry["digest_rounded"]
    if sha256_of(weights) != entry["digest"]:
        pytest.skip(
            f"{entry['family']} agrees to five decimals, but this LAPACK rounds a last bit "
            "otherwise than the one that made the golden digest"
        )


@pytest.mark.parametrize("family", FAMILIES)
def test_digest_is_the_sha256_of_the_dense_bytes_in_every_storage_and_dtype(family, monkeypatch):
    spec = ScaffoldSpec(family, (33, 50), 0, "layers.0")
    expected = sha256_of(make_scaffold(spec, device=device).dense())
    for rows in (33, 7):  # one tile, and five
        monkeypatch.setattr(storage, "tile_bytes", lambda device, rows=rows: 4 * 50 * rows)
        for kept, dtype in product(storages_of(family), (np.float32, np.float64)):
            assert make_scaffold(spec, kept, dtype, device).digest() == expected, (kept, dtype)


@pytest.mark.parametrize("family", [name for name in FAMILIES if name != "zero"])
def test_digest_tells_seed_path_shape_and_scale_apart(family):
    digests = [
        make_scaffold(ScaffoldSpec(family, *arguments), device=device).digest()
        for arguments in (
            ((6, 10), 0, "layers.0"),
            ((6, 10), 1, "layers.0"),
            ((6, 10), 0, "layers.1"),
            ((10, 6), 0, "layers.0"),
            ((6, 10), 0, "layers.0", 2.0),
        )
    ]
    assert len(set(digests)) == 5


def test_families_of_one_table_do_not_share_their_weights():
    digests = {
        make_scaffold(ScaffoldSpec(name, (6, 10), 0, "p"), device=device).digest()
        for name in FAMILIES
    }
    assert len(digests) == len(FAMILIES)
