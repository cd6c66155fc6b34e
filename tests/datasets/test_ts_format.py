"""The .ts format: valid files, and malformed ones, which are refused with the line number."""

import numpy as np
import pytest

from deepreservoir.datasets.idx import DatasetUnavailable
from deepreservoir.datasets.ts_format import japanese_vowels, read_ts

HEADER = "@problemName Made\n@timestamps false\n@univariate false\n@classLabel true a b\n@data\n"


@pytest.fixture
def write(tmp_path):
    def write_file(text):
        path = tmp_path / "made.ts"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write_file


def test_series_of_unequal_length_are_time_by_dimension(write):
    series, labels = read_ts(write(HEADER + "1,2,3:-4,5e-1,6:a\n7:8:b\n"))
    assert [s.dtype for s in series] == [np.float64] * 2
    np.testing.assert_array_equal(series[0], [[1, -4], [2, 0.5], [3, 6]])
    np.testing.assert_array_equal(series[1], [[7, 8]])
    assert labels.tolist() == ["a", "b"]
    assert labels.dtype.kind == "U"


def test_a_univariate_file_of_equal_lengths_is_read(write):
    text = (
        "@univariate true\n@equalLength true\n@seriesLength 3\n@classLabel true 1 -1\n"
        "@data\n1,2,3:-1\n4,5,6:1\n"
    )
    series, labels = read_ts(write(text))
    np.testing.assert_array_equal(series, [[[1], [2], [3]], [[4], [5], [6]]])
    assert labels.tolist() == ["-1", "1"]


def test_comments_blank_lines_spaces_and_capitals_change_nothing(write):
    plain = read_ts(write(HEADER + "1,2:3,4:a\n"))
    text = (
        "\ufeff# a comment: @data\r\n\r\n@PROBLEMNAME Made\r\n@timeStamps FALSE\r\n"
        "@dimensions 2\r\n@classlabel TRUE a b\r\n@DATA\r\n# another\r\n 1 , 2 : 3,4 : a \r\n\r\n"
    )
    fancy = read_ts(write(text))
    np.testing.assert_array_equal(plain[0], fancy[0])
    np.testing.assert_array_equal(plain[1], fancy[1])


def test_a_written_file_is_read_back(write):
    random = np.random.RandomState(0)
    series = [random.randn(n, 3) for n in (1, 4, 9, 2)]
    lines = [":".join(",".join(map(repr, c.tolist())) for c in s.T) + ":b" for s in series]
    found, labels = read_ts(write(HEADER + "\n".join(lines)))
    for mine, theirs in zip(series, found, strict=True):
        np.testing.assert_array_equal(mine, theirs)
        assert theirs.flags.c_contiguous
    assert labels.tolist() == ["b"] * 4


@pytest.mark.parametrize(
    ("case", "message"),
    [
        ("1,?,3:a", r"line 7: dimension 1 has a missing value \('\?'\), which is not supported"),
        ("1,2:3, ? :a", "line 7: dimension 2 has a missing value"),
        ("1,x,3:2,2,2:a", "line 7: dimension 1: expected numbers separated by ','; got 'x'"),
        ("1,2,:3,4,5:a", "line 7: dimension 1: expected numbers separated by ','; got ''"),
        ("(0,1),(1,2):a", r"line 7: dimension 1: expected numbers separated by ','; got '\(0'"),
        ("1,nan:2,3:a", "line 7: dimension 1 has a value that is not finite"),
        ("1,2:2,inf:a", "line 7: dimension 2 has a value that is not finite"),
        ("1,2:3:a", r"line 7: all dimensions of a case must have the same length; got \[1, 2\]"),
        ("1,2,3", "line 7: expected dimensions and a label, separated by ':'; got no ':'"),
        ("1,2:3,4:c", "line 7: the label 'c' is not among a, b"),
        ("1,2:3,4:", "line 7: the label '' is not among a, b"),
        ("1,2:a", "line 7: expected 2 dimensions, as in the header or earlier cases; got 1"),
        ("1:2:3:a", "line 7: expected 2 dimensions, as in the header or earlier cases; got 3"),
    ],
)
def test_a_malformed_case_is_refused_with_its_line(write, case, message):
    with pytest.raises(ValueError, match=message) as caught:
        read_ts(write(HEADER + "9,9:9,9:a\n" + case + "\n"))
    assert "made.ts" in str(caught.value)


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("@timestamps true", "line 1: series with timestamps are not supported"),
        ("@targetLabel true", "line 1: numeric targets are not supported"),
        ("@classLabel false", "line 1: expected '@classLabel true' and the labels"),
        ("@classLabel", "line 1: expected '@classLabel true' and the labels"),
        ("@classLabel true", "line 1: expected distinct labels after '@classLabel true'"),
        ("@classLabel true a a", "line 1: expected distinct labels after '@classLabel true'"),
        ("@missing perhaps", "line 1: expected true or false after @missing; got 'perhaps'"),
        ("@univariate", "line 1: expected true or false after @univariate; got ''"),
        ("@dimensions two", "line 1: expected a positive integer after @dimensions"),
        ("@seriesLength 0", "line 1: expected a positive integer after @seriesLength"),
        ("@timstamps true", "line 1: expected one of the tags .*; got @timstamps"),
        ("@", "line 1: expected a header line '@tag value'; got '@'"),
        ("1,2:a", "line 1: expected a header line '@tag value'; got '1,2:a'"),
        ("# none\n@data", "line 2: expected a line '@classLabel true ...' before @data"),
    ],
)
def test_a_malformed_header_is_refused_with_its_line(write, header, message):
    with pytest.raises(ValueError, match=message):
        read_ts(write(header + "\n@classLabel true a b\n@data\n1,2:a\n"))


@pytest.mark.parametrize(
    ("declared", "case", "message"),
    [
        ("@univariate true", "1,2:3,4:a", "line 4: expected 1 dimensions"),
        ("@dimension 3", "1,2:3,4:a", "line 4: expected 3 dimensions, .*; got 2"),
        ("@seriesLength 3", "1,2:a", "line 4: expected 3 values per dimension.*; got 2"),
        ("@equalLength true", "1,2:a\n1,2,3:a", "line 5: expected 2 values per dimension.*; got 3"),
    ],
)
def test_a_case_that_contradicts_the_header_is_refused(write, declared, case, message):
    with pytest.raises(ValueError, match=message):
        read_ts(write(f"{declared}\n@classLabel true a b\n@data\n{case}\n"))


def test_the_declared_series_length_is_ignored_if_lengths_are_unequal(write):
    text = "@equalLength false\n@seriesLength 3\n@classLabel true a\n@data\n1,2:a\n1:a\n"
    assert [len(s) for s in read_ts(write(text))[0]] == [2, 1]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected a line @data followed by cases; found none"),
        ("@classLabel true a\n", "expected a line @data followed by cases; found none"),
        (HEADER, "expected cases after @data; found none"),
        (HEADER.encode() + b"1,2:\xff\n", "must be a text file in UTF-8"),
    ],
)
def test_a_file_without_cases_or_of_another_encoding_is_refused(write, text, message):
    with pytest.raises(ValueError, match=message):
        read_ts(write(text))


def vowels(folder, train=270, test=370, dims=12):
    """Write well-formed files with made-up values: series i is filled with i."""
    folder.mkdir()
    for part, n in (("TRAIN", train), ("TEST", test)):
        lines = [":".join([",".join([str(i)] * (7 + i % 23))] * dims) + ":1" for i in range(n)]
        text = "@classLabel true 1 2\n@data\n" + "\n".join(lines)
        (folder / f"JapaneseVowels_{part}.ts").write_text(text)


@pytest.mark.parametrize("folder", ["japanese_vowels", "JapaneseVowels"])
def test_japanese_vowels_are_found_in_either_folder(tmp_path, monkeypatch, folder):
    vowels(tmp_path / folder)
    monkeypatch.setenv("DEEPRESERVOIR_DATA", str(tmp_path))
    train, train_labels, test, test_labels = japanese_vowels()
    assert (len(train), train_labels.shape) == (270, (270,))
    assert (len(test), test_labels.shape) == (370, (370,))
    np.testing.assert_array_equal(test[-1], np.full((7 + 369 % 23, 12), 369.0))


@pytest.mark.parametrize("missing", ["TRAIN", "TEST"])
def test_a_missing_japanese_vowels_file_is_named_with_its_location(tmp_path, monkeypatch, missing):
    vowels(tmp_path / "japanese_vowels")
    (tmp_path / "japanese_vowels" / f"JapaneseVowels_{missing}.ts").unlink()
    monkeypatch.setenv("DEEPRESERVOIR_DATA", str(tmp_path))
    with pytest.raises(DatasetUnavailable, match=f"needs JapaneseVowels_{missing}.ts") as caught:
        japanese_vowels()
    assert f"into {tmp_path / 'japanese_vowels'}" in str(caught.value)


@pytest.mark.parametrize("value", [None, ""])
def test_without_a_data_folder_the_variable_is_named(monkeypatch, value):
    monkeypatch.delenv("DEEPRESERVOIR_DATA", raising=False)
    if value is not None:
        monkeypatch.setenv("DEEPRESERVOIR_DATA", value)
    with pytest.raises(DatasetUnavailable, match="into a folder japanese_vowels, and set DEEPRES"):
        japanese_vowels()


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ({"train": 269}, "expected 270 series of 12 variables, found 269 of 12"),
        ({"test": 371}, "expected 370 series of 12 variables, found 371 of 12"),
        ({"dims": 11}, "expected 270 series of 12 variables, found 270 of 11"),
    ],
)
def test_other_data_under_the_name_of_japanese_vowels_is_refused(
    tmp_path, monkeypatch, shape, message
):
    vowels(tmp_path / "japanese_vowels", **shape)
    monkeypatch.setenv("DEEPRESERVOIR_DATA", str(tmp_path))
    with pytest.raises(DatasetUnavailable, match=message):
        japanese_vowels()


def test_the_published_japanese_vowels_if_available():
    try:
        train, train_labels, test, test_labels = japanese_vowels()
    except DatasetUnavailable as error:
        pytest.skip(str(error))
    # Kudo et al. 1999: 30 utterances a speaker to train on, 24 to 88 held out, 7 to 29 long.
    speakers, counts = np.unique(train_labels, return_counts=True)
    assert speakers.tolist() == list("123456789")
    assert counts.tolist() == [30] * 9
    assert np.unique(test_labels, return_counts=True)[1].tolist() == [
        *(31, 35, 88, 44, 29, 24, 40, 50, 29)
    ]
    lengths = [len(s) for s in train + test]
    assert (min(lengths), max(lengths)) == (7, 29)
