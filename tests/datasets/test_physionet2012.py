"""The PhysioNet/CinC Challenge 2012: the grid, the columns, and archives of another form."""

import io
import tarfile

import numpy as np
import pytest

from deepreservoir.datasets import DatasetUnavailable, load_dataset
from deepreservoir.datasets.physionet2012 import (
    _RECORDS,
    COLUMNS,
    parsed,
    read_stays,
    regular,
)

pytestmark = pytest.mark.host(reason="files are read on the host")

RECORD = """Time,Parameter,Value
00:00,RecordID,{}
00:00,Age,54
00:00,Gender,-1
00:00,Height,-1
00:00,Weight,80
00:07,HR,73
00:07,HR,75
00:37,HR,77
02:10,Temp,35.5
02:10,,36
"""
OUTCOMES = (
    b"RecordID,SAPS-I,SOFA,Length_of_stay,Survival,In-hospital_death\n"
    b"132539,6,1,5,-1,0\n132540,16,8,8,-1,1\n"
)


def archive(records):
    """Return a gzip archive of (name, text)."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as tar:
        folder = tarfile.TarInfo("set-a/")
        folder.type = tarfile.DIRTYPE
        tar.addfile(folder)
        for name, text in records:
            member = tarfile.TarInfo(name)
            member.size = len(text)
            tar.addfile(member, io.BytesIO(text.encode()))
    return stream.getvalue()


def two():
    return [(f"set-a/{i}.txt", RECORD.format(i)) for i in (132539, 132540)]


def test_columns():
    assert len(COLUMNS) == len(set(COLUMNS)) == 41
    assert COLUMNS[:5] == ("Age", "Gender", "Height", "ICUType", "Weight")


def test_a_record_on_two_grids():
    stays = parsed(archive(two()), OUTCOMES, 2)
    assert stays.died.tolist() == [0, 1]
    minutes = stays.series(1)
    assert len(minutes) == 2
    one = minutes[0]
    np.testing.assert_allclose(one.times, [0, 7 / 60, 37 / 60, 130 / 60])
    heart = one.values[:, COLUMNS.index("HR")]
    np.testing.assert_array_equal(heart, [np.nan, 74, 77, np.nan])
    assert np.isnan(one.values[:, COLUMNS.index("Height")]).all()  # -1 stands for unknown
    hours = regular(stays.series(60), 49)[1]
    np.testing.assert_array_equal(hours.times, [0, 1, 2])
    np.testing.assert_array_equal(hours.values[:, COLUMNS.index("HR")], [75, np.nan, np.nan])
    np.testing.assert_array_equal(hours.values[:, COLUMNS.index("Temp")], [np.nan, np.nan, 35.5])


@pytest.mark.parametrize(
    ("records", "words"),
    [
        (two()[:1], "expected 2 records; got 1"),
        ([("../etc/132539.txt", "x")], "expected records such as set-a/132539.txt.*'../etc"),
        ([("set-a/132539.txt", " " * 100_001)], "at most 100,000 bytes; got .* of 100,001 bytes"),
        ([("set-a/132539.txt", RECORD.format(1))], "132539 does not begin with its header"),
    ],
)
def test_archives_of_another_form(records, words):
    with pytest.raises(ValueError, match=words):
        parsed(archive(records), OUTCOMES, 2)


def test_missing_and_damaged_files(tmp_path, monkeypatch):
    monkeypatch.setenv("DEEPRESERVOIR_DATA", str(tmp_path))
    monkeypatch.setattr("deepreservoir.datasets.local_files.cache_folder", lambda: tmp_path / "no")
    with pytest.raises(DatasetUnavailable, match=r"Put set-a.tar.gz and Outcomes-a.txt from"):
        load_dataset("physionet2012")
    (tmp_path / "physionet2012").mkdir()
    (tmp_path / "physionet2012" / _RECORDS).write_bytes(archive(two()))
    with pytest.raises(DatasetUnavailable, match="does not contain the published data"):
        load_dataset("physionet2012")


@pytest.mark.slow
def test_the_published_records():
    try:
        stays = read_stays()
    except DatasetUnavailable as error:
        pytest.skip(str(error))
    assert len(stays.identifiers) == 3_996
    assert stays.died.sum() == 554
    minutes, hours = stays.series(1), regular(stays.series(60), 49)
    assert (minutes.lengths.max(), round(minutes.lengths.mean(), 1)) == (203, 74.9)
    assert hours.lengths.max() == 49
    observed = (~np.isnan(hours.values)).sum(axis=0)
    assert observed[COLUMNS.index("ICUType")] == 0
    assert observed[COLUMNS.index("Cholesterol")] == 315
    assert observed[COLUMNS.index("Albumin")] == 2_353
