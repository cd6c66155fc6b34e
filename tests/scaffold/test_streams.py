"""Streams: the Philox layout, the key, the lanes, and that any part can be made alone.

The generator is written out here once more, in plain Python integers, so nothing in these
tests rests on the code that they test.
"""

import hashlib
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deepreservoir.scaffold import Stream, check_seed

MASK = 2**64 - 1


def philox_block(counter: int, key: int) -> list[int]:
    """Philox 4x64-10 of one 256-bit counter and one 128-bit key: four 64-bit words."""
    c = [counter >> (64 * i) & MASK for i in range(4)]
    k = [key & MASK, key >> 64]
    for _ in range(10):
        first, second = 0xD2E7470EE14C6C93 * c[0], 0xCA5A826395121157 * c[2]
        c = [
            (second >> 64) ^ c[1] ^ k[0],
            second & MASK,
            (first >> 64) ^ c[3] ^ k[1],
            first & MASK,
        ]
        k = [(k[0] + 0x9E3779B97F4A7C15) & MASK, (k[1] + 0xBB67AE8584CAA73B) & MASK]
    return c


def key_of(text: bytes) -> int:
    return int.from_bytes(hashlib.sha256(text).digest()[:16], "little")


@pytest.fixture
def stream():
    return Stream(seed=7, path="layers.0", draw="scaffold/normal")


def test_the_oracle_gives_the_published_philox_vector():
    # Random123, kat_vectors: philox4x64 10, counter and key all zeros.
    assert philox_block(0, 0) == [
        0x16554D9ECA36314C,
        0xDB20FE9D672D0FDC,
        0xD7E772CEE186176B,
        0x7E68B68AEC7BA23B,
    ]


def test_key_is_the_first_128_bits_of_sha256_little_end_first(stream):
    assert stream.key == key_of(b"deepreservoir\n1\n7\nlayers.0\nscaffold/normal")


def test_key_encodes_the_path_in_utf_8():
    assert Stream(0, "Schicht-\u00e4", "d").key == key_of(
        b"deepreservoir\n1\n0\nSchicht-\xc3\xa4\nd"
    )


@pytest.mark.parametrize(
    "other",
    [
        Stream(8, "layers.0", "scaffold/normal"),
        Stream(7, "layers.1", "scaffold/normal"),
        Stream(7, "layers.0", "scaffold/binary"),
    ],
    ids=["seed", "path", "draw"],
)
def test_seed_path_and_draw_each_change_the_bits(stream, other):
    assert not np.isin(stream.words(64), other.words(64)).any()


def test_path_and_draw_cannot_be_confused():
    # Joined without a separator that neither may hold, these would be one text.
    assert Stream(1, "a", "b/c").key != Stream(1, "a/b", "c").key
    assert Stream(1, "2", "c").key != Stream(12, "", "c").key


@pytest.mark.parametrize(("path", "draw"), [("a\nb", "c"), ("a", "b\nc")])
def test_line_breaks_in_a_path_or_draw_are_refused(path, draw):
    with pytest.raises(ValueError, match="line break"):
        Stream(0, path, draw)


@pytest.mark.parametrize("substream", [0, 1, 5, 2**64 - 1, 2**100])
@pytest.mark.parametrize("start", [0, 1, 12_345, 2**63, 2**64 - 3])
def test_words_are_philox_blocks_at_the_counters_after_the_position(stream, start, substream):
    # NumPy counts up before it draws, so block 0 has counter 1.
    first = start + 2**64 * substream + 1
    expected = [w for i in range(3) for w in philox_block(first + i, stream.key)]
    words = stream.words(10, start, substream)
    assert words.dtype == np.uint64
    assert words.tolist() == expected[:10]


def test_lanes_are_the_quarters_of_a_word_little_end_first(stream):
    words = philox_block(3 + 1, stream.key)
    lanes = stream.lanes(1, start_block=3)
    assert lanes.tolist() == list(struct.unpack("<16H", struct.pack("<4Q", *words)))
    assert lanes.tolist()[:4] == [words[0] >> shift & 0xFFFF for shift in (0, 16, 32, 48)]


@pytest.mark.parametrize("width", [1, 15, 16, 17, 50])
def test_each_row_starts_on_a_block(stream, width):
    blocks = -(-width // 16)
    rows = stream.rows(0, 4, width)
    assert rows.shape == (4, width)
    for i in range(4):
        words = [w for b in range(blocks) for w in philox_block(i * blocks + b + 1, stream.key)]
        lanes = struct.unpack(f"<{16 * blocks}H", struct.pack(f"<{4 * blocks}Q", *words))
        assert rows[i].tolist() == list(lanes[:width])


@settings(deadline=None, max_examples=150)
@given(data=st.data(), height=st.integers(1, 12), width=st.integers(1, 70))
def test_any_tile_is_the_slice_of_the_whole(data, height, width):
    stream = Stream(3, "layers.2", "scaffold/uniform")
    top, bottom = sorted(data.draw(st.tuples(*[st.integers(0, height)] * 2), "rows"))
    left, right = sorted(data.draw(st.tuples(*[st.integers(0, width)] * 2), "columns"))
    whole = stream.rows(0, height, width)
    tile = stream.tile(range(top, bottom), range(left, right), width)
    assert tile.dtype == np.uint16
    np.testing.assert_array_equal(tile, whole[top:bottom, left:right])
    np.testing.assert_array_equal(stream.rows(top, bottom, width), whole[top:bottom])


def test_rows_of_a_substream_are_its_words(stream):
    rows = stream.rows(1, 3, 16, substream=4)
    words = stream.words(8, start_block=1, substream=4)
    np.testing.assert_array_equal(rows, words.astype("<u8").view("<u2").reshape(2, 16))


def test_a_substream_ends_where_the_next_begins(stream):
    across = stream.words(8, start_block=2**64 - 1, substream=6)
    np.testing.assert_array_equal(across[4:], stream.words(4, substream=7))


def test_substreams_do_not_overlap(stream):
    # A 64-bit word that occurs twice among 80,000 by chance has probability 2e-10.
    words = np.concatenate([stream.words(4000, substream=s) for s in range(20)])
    assert len(np.unique(words)) == len(words)


@pytest.mark.parametrize("integer", [np.int32, np.int64, np.uint64])
def test_positions_given_as_numpy_integers_are_the_same_positions(stream, integer):
    expected = stream.words(4, start_block=2, substream=3)
    found = stream.words(4, start_block=integer(2), substream=integer(3))
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("n", [1, 2, 17, 1000])
def test_permutation_holds_each_index_once(stream, n):
    np.testing.assert_array_equal(np.sort(stream.permutation(n)), np.arange(n))


def test_permutation_is_the_order_that_sorts_the_words(stream):
    words = [w for b in range(3) for w in philox_block(2**64 * 9 + b + 1, stream.key)]
    expected = sorted(range(12), key=words.__getitem__)
    assert stream.permutation(12, substream=9).tolist() == expected


def test_permutation_depends_on_seed_and_substream(stream):
    orders = [stream.permutation(100), stream.permutation(100, substream=1)]
    orders.append(Stream(8, stream.path, stream.draw).permutation(100))
    for i in range(3):
        for j in range(i):
            # Two random permutations of 100 agree in one place on average, in 12 never.
            assert np.sum(orders[i] == orders[j]) < 12


@pytest.mark.parametrize(
    "seed", [-1, np.int64(-5), True, np.True_, 0.0, 1.5, np.float64(2), "3", None, [1]]
)
def test_seeds_that_are_not_non_negative_integers_are_refused_by_name(seed):
    with pytest.raises(ValueError, match="init_seed must be a non-negative integer"):
        check_seed(seed, "init_seed")
    with pytest.raises(ValueError, match="seed must be a non-negative integer"):
        Stream(seed, "p", "d")


@pytest.mark.parametrize("seed", [2**64, 2**200, 10**1000])
def test_huge_seeds_have_bits_of_their_own(seed):
    stream = Stream(seed, "p", "d")
    assert stream.key == key_of(f"deepreservoir\n1\n{seed}\np\nd".encode())
    assert stream.words(4).tolist() == philox_block(1, stream.key)
    # Congruent to the seed modulo 2**64, so a truncated seed would give the same bits.
    assert Stream(seed + 2**64, "p", "d").key != stream.key
    assert Stream(seed % 2**64, "p", "d").key != stream.key


@pytest.mark.parametrize("integer", [np.uint8, np.int64, np.uint64])
def test_a_numpy_seed_is_the_python_seed(integer):
    assert Stream(integer(42), "p", "d").key == Stream(42, "p", "d").key
    assert type(check_seed(integer(42), "seed")) is int
