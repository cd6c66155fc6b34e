"""Families: the shipped tables are the quantiles they claim to be, on the paper's scales.

Two oracles: `quantiles.py`, which made the tables, run again; and the closed forms of
`scipy.stats`, which know nothing of it.
"""

import numpy as np
import pytest
from safetensors.numpy import load_file
from scipy import stats
from target import device

from deepreservoir.scaffold import (
    FAMILIES,
    PAPER_FAMILIES,
    ScaffoldSpec,
    get_family,
    make_scaffold,
    quantiles,
    tables,
)

IID = [name for name, family in FAMILIES.items() if family.construction.iid]
PROPER = [name for name in IID if name != "zero"]
POSITIONS = (np.arange(65_536) + 0.5) / 65_536

# The distributions of the paper's table 13 that have a density, on their own scale, in
# units of sigma where they are fan-in scaled.
CLOSED_FORMS = {
    "normal": stats.norm(),
    "truncated_normal": stats.truncnorm(-2, 2),
    "uniform": stats.uniform(-0.1, 0.2),
    "laplace": stats.laplace(scale=0.1),
    "student_t": stats.t(3),
    "beta": stats.beta(2, 2, loc=-0.1, scale=0.2),
    "exponential": stats.expon(loc=-0.1, scale=0.1),
    "cauchy": stats.cauchy(scale=0.1),
}


def lane_table(family):
    return tables.lane_table(get_family(family).table)


def codebook(family):
    return tables.codebook(get_family(family).table)


def own_values(name):
    """The family's 65,536 lanes on its own scale, in float64; fan-in scaled ones at d_in = 1."""
    return lane_table(name).astype(np.float64) * get_family(name).own_scale(1, 1)


def closed_quantiles(name):
    quantile = CLOSED_FORMS[name].ppf(POSITIONS)
    return np.clip(quantile, -1, 1) if name == "cauchy" else quantile


@pytest.mark.parametrize("name", sorted(quantiles.QUANTILES))
def test_shipped_table_is_within_one_ulp_of_the_recomputed_quantiles(name):
    exact = quantiles.standardised(name).astype(np.float32)
    ulps = np.abs(lane_table(name) - exact) / np.spacing(np.abs(exact))
    assert ulps.max() <= 1


@pytest.mark.parametrize("bits", [2, 4, 8])
def test_shipped_codebook_is_within_one_ulp_of_the_recomputed_levels(bits):
    exact = quantiles.normal_codebook(bits).astype(np.float32)
    ulps = np.abs(tables.codebook(f"normal_{bits}bit") - exact) / np.spacing(np.abs(exact))
    assert exact.shape == (2**bits,)
    assert ulps.max() <= 1


@pytest.mark.parametrize("name", CLOSED_FORMS)
def test_lanes_are_the_standardised_quantiles_of_the_closed_form(name):
    law, quantile = CLOSED_FORMS[name], closed_quantiles(name)
    mean = quantile.mean() if name == "exponential" else 0.0
    table = lane_table(name).astype(np.float64)
    values = table * np.sqrt(np.mean((quantile - mean) ** 2)) + mean
    inside = np.abs(quantile) < 1 if name == "cauchy" else np.full(65_536, True)
    # An entry is rounded to float32 once, by 2**-24 of itself at most; the cdf carries that on.
    rounding = 2.0**-24 * np.abs(values - mean) * law.pdf(values)
    error = np.abs(law.cdf(values) - POSITIONS)
    assert np.all(error[inside] <= 1.01 * rounding[inside] + 1e-12)


@pytest.mark.parametrize("name", [n for n in CLOSED_FORMS if n not in ("normal", "uniform")])
def test_own_scale_is_the_root_mean_square_of_the_closed_form(name):
    # `normal` and `uniform` are not listed: theirs is exact, and stands in OWN_SCALES.
    rms = np.sqrt(np.mean(closed_quantiles(name) ** 2))
    assert get_family(name).own_scale(1, 1) == pytest.approx(rms, rel=1e-10)


def test_gaussian_mixture_lanes_invert_its_distribution_function():
    values = own_values("gaussian_mixture")
    cdf = 0.9 * stats.norm.cdf(values / 0.05) + 0.1 * stats.norm.cdf(values / 0.5)
    np.testing.assert_allclose(cdf, POSITIONS, rtol=0, atol=4 * 2.0**-24)


@pytest.mark.parametrize("name", ["sparse_normal", "erdos_renyi"])
def test_sparse_lanes_are_zero_for_a_fifth_and_normal_for_the_rest(name):
    values = own_values(name)
    zero = values == 0
    assert abs(zero.mean() - 0.2) <= 1 / 65_536
    below = POSITIONS[values < 0] / 0.8
    np.testing.assert_allclose(stats.norm.cdf(values[values < 0]), below, rtol=0, atol=1e-7)
    np.testing.assert_array_equal(values, -values[::-1])


@pytest.mark.parametrize("bits", [2, 4, 8])
def test_quantised_levels_are_the_means_of_equally_probable_slices(bits):
    edges = stats.norm.ppf(np.arange(2**bits + 1) / 2**bits)
    # The mean of N(0, 1) between a and b is (pdf(a) - pdf(b)) / P(a < x < b).
    levels = -np.diff(stats.norm.pdf(edges)) * 2**bits
    levels /= np.sqrt(np.mean(levels**2))
    # A table entry is the median of its cell. In the last cell, where the tail is nearly
    # exponential, the mean lies (1 - ln 2) / 4.2 = 0.07 further out; it is one of 65536 / 2**bits.
    bound = 0.1 * 2**bits / 65_536
    np.testing.assert_allclose(tables.codebook(f"normal_{bits}bit"), levels, rtol=0, atol=bound)


@pytest.mark.parametrize("name", PROPER)
def test_lane_table_has_unit_variance(name):
    table = lane_table(name).astype(np.float64)
    assert abs(np.mean(table**2) - 1) <= 2 * 2.0**-24  # each entry rounded once


@pytest.mark.parametrize("name", IID)
def test_lane_table_has_mean_zero(name):
    table = lane_table(name).astype(np.float64)
    if name == "exponential":
        assert abs(table.mean()) <= 2.0**-24
    else:
        np.testing.assert_array_equal(table, -table[::-1])


@pytest.mark.parametrize("name", IID)
def test_lane_table_never_falls_and_repeats_each_code_of_the_codebook(name):
    table, codes = lane_table(name), codebook(name)
    bits = get_family(name).bits
    assert table.dtype == codes.dtype == np.float32
    assert (table.shape, codes.shape) == ((65_536,), (2**bits,))
    assert np.all(np.diff(table) >= 0)
    np.testing.assert_array_equal(table, codes[np.arange(65_536) >> (16 - bits)])


@pytest.mark.parametrize("name", IID)
def test_tables_cannot_be_written(name):
    for table in (lane_table(name), codebook(name)):
        with pytest.raises(ValueError, match="read-only"):
            table[0] = 1


@pytest.mark.parametrize(
    ("name", "table"),
    [(n, n) for n in sorted(quantiles.QUANTILES) if n != "normal"]
    + [("erdos_renyi", "sparse_normal")],
)
def test_own_scale_is_the_root_mean_square_of_the_quantiles(name, table):
    # d_in = 1 leaves the constant of a family that is fan-in scaled.
    assert get_family(name).own_scale(1, 1) == pytest.approx(quantiles.own_rms(table), rel=1e-13)


# Standard deviation at (d_out, d_in) = (30, 120), from the definitions in table 13.
OWN_SCALES = {
    "normal": 120**-0.5,
    "uniform": 0.2 / 12**0.5,
    "kaiming_normal": (2 / 120) ** 0.5,
    "kaiming_uniform": 2 / 120**0.5 / 12**0.5,
    "xavier_normal": (2 / 150) ** 0.5,
    "xavier_uniform": 2 * (6 / 150) ** 0.5 / 12**0.5,
    "normal_16bit": 120**-0.5,
    "normal_8bit": 120**-0.5,
    "normal_4bit": 120**-0.5,
    "normal_2bit": 120**-0.5,
    "binary": 120**-0.5,
    "hadamard": 120**-0.5,
    "kronecker": 120**-0.5,
    "zero": 0.0,
}


@pytest.mark.parametrize("name", OWN_SCALES)
def test_own_scale_follows_its_definition(name):
    assert get_family(name).own_scale(30, 120) == pytest.approx(OWN_SCALES[name], rel=1e-14)


# Support at (d_out, d_in) = (300, 400), from the definitions in table 13.
BOUNDS = {
    "uniform": 0.1,
    "kaiming_uniform": 1 / 20,
    "xavier_uniform": (6 / 700) ** 0.5,
    "beta": 0.1,
    "cauchy": 1.0,
    "truncated_normal": 2 / 20,
    "binary": 1 / 20,
}


@pytest.mark.parametrize("name", BOUNDS)
def test_weights_on_their_own_scale_fill_the_paper_s_bounds(name):
    weights = make_scaffold(
        ScaffoldSpec(name, (300, 400), 0, "p", scale="family"), device=device
    ).dense()
    largest = np.abs(weights).max()
    assert largest <= BOUNDS[name] * (1 + 3 * 2.0**-24)  # a table entry, a scale, a product
    # 120,000 draws: a quantile beyond 1 - 1e-4 on one side or the other is all but certain.
    reach = {"beta": stats.beta(2, 2, -1, 2), "truncated_normal": stats.truncnorm(-2, 2, scale=0.5)}
    floor = reach[name].ppf(1 - 1e-4) if name in reach else 1 - 2e-4
    assert largest >= BOUNDS[name] * floor


def test_share_of_clipped_cauchy_weights_is_the_tail_beyond_ten_scales():
    values = own_values("cauchy")
    clipped = np.abs(values) > 1 - 1e-6
    assert clipped.mean() == pytest.approx(2 * stats.cauchy.sf(10), abs=2 / 65_536)
    np.testing.assert_allclose(np.abs(values[clipped]), 1, rtol=2.0**-23)


@pytest.mark.parametrize("name", ["sparse_normal", "erdos_renyi"])
def test_share_of_zero_weights_is_a_fifth(name):
    weights = make_scaffold(
        ScaffoldSpec(name, (300, 400), 0, "p", scale="family"), device=device
    ).dense()
    sigma = (0.2 * 0.8 / weights.size) ** 0.5
    assert abs(np.mean(weights == 0) - 0.2) <= 4 * sigma


@pytest.mark.parametrize("scale", [1.0, 0.3, 2, "family"])
@pytest.mark.parametrize("name", IID)
def test_a_weight_is_its_lane_s_value_times_one_float32_scale(name, scale):
    spec = ScaffoldSpec(name, (5, 40), 9, "layers.1", scale=scale)
    own = get_family(name).own_scale(5, 40)
    factor = np.float32(own if scale == "family" else scale / np.sqrt(40))
    expected = lane_table(name)[spec.stream.rows(0, 5, 40)] * factor
    assert spec.stream.draw == f"scaffold/{name}"
    np.testing.assert_array_equal(spec.rows(0, 5), expected)


@pytest.mark.parametrize("scale", [0, -1, True, np.inf, np.nan, "fan_in", None, [1.0]])
def test_a_gain_that_is_not_positive_is_refused(scale):
    with pytest.raises(ValueError, match="scaffold_scale must be a positive gain or 'family'"):
        ScaffoldSpec("normal", (2, 2), 0, "p", scale=scale)


@pytest.mark.parametrize(
    "shape", [(0, 3), (3, 0), (-1, 2), (3,), (1, 2, 3), (3.5, 2), ("3", 2), (True, 2)]
)
def test_a_shape_that_is_not_two_positive_sizes_is_refused(shape):
    with pytest.raises(ValueError, match=r"shape of scaffold 'layers\.3' must be \(d_out, d_in\)"):
        ScaffoldSpec("normal", shape, 0, "layers.3")


@pytest.mark.parametrize("family", ["normal", "orthogonal", "kronecker", "hadamard"])
def test_a_shape_may_be_of_numpys_integers(family):
    found = make_scaffold(ScaffoldSpec(family, (np.int64(4), np.int32(6)), 0, "p"))
    assert found.digest() == make_scaffold(ScaffoldSpec(family, (4, 6), 0, "p")).digest()


@pytest.mark.parametrize("dtype", [np.int32, np.float16, np.complex64])
def test_products_are_in_float32_or_float64(dtype):
    with pytest.raises(ValueError, match="dtype must be float32 or float64; got"):
        make_scaffold(ScaffoldSpec("normal", (2, 2), 0, "p"), dtype=dtype)


def test_a_scaffold_seed_that_is_negative_is_refused():
    with pytest.raises(ValueError, match="scaffold_seed must be a non-negative integer; got -1"):
        ScaffoldSpec("normal", (2, 2), -1, "p")


def test_the_paper_s_families_are_its_table_13():
    table = """
        normal truncated_normal uniform orthogonal
        kaiming_normal kaiming_uniform xavier_normal xavier_uniform spectral_radius
        cauchy laplace student_t
        gaussian_mixture sparse_normal erdos_renyi
        beta exponential
        normal_16bit normal_8bit normal_4bit normal_2bit binary
    """
    assert list(PAPER_FAMILIES) == table.split()
    assert len(PAPER_FAMILIES) == 22


@pytest.mark.parametrize("name", ["gaussian", "Normal", "", None, ["normal"]])
def test_an_unknown_family_is_refused_and_the_known_ones_are_listed(name):
    with pytest.raises(ValueError, match="scaffold must be one of") as caught:
        get_family(name)
    assert all(known in str(caught.value) for known in FAMILIES)
    assert repr(name) in str(caught.value)


def test_every_shipped_table_is_pinned_and_the_file_holds_no_other():
    path = tables.Path(tables.__file__).with_name("tables.safetensors")
    shipped = quantiles.shipped_tables()
    assert set(load_file(path)) == set(tables._TABLE_HASHES) == set(shipped)


@pytest.mark.parametrize("name", sorted(tables._TABLE_HASHES))
def test_a_table_with_one_wrong_bit_is_refused(name, monkeypatch):
    def damaged(path):
        loaded = load_file(path)
        loaded[name].view(np.uint32)[-1] ^= 1
        return loaded

    monkeypatch.setattr(tables, "load_file", damaged)
    # __wrapped__ passes by the cache, which holds the tables of the other tests.
    with pytest.raises(OSError, match=f"table '{name}' .* is damaged") as caught:
        tables._shipped.__wrapped__()
    assert tables._TABLE_HASHES[name] in str(caught.value)
