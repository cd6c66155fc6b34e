"""The PhysioNet/CinC Challenge 2012: 48 hours in intensive care, and who died in hospital.

Set A is read as published: an archive with one text file per patient, and a table of outcomes. The
archive is read in memory, record by record; nothing is extracted.

The pinned archive has 3,996 of the 4,000 records, and no record has an ICUType. The 41 columns of
the reference implementation of closed-form networks are kept; that column is empty.
"""

from __future__ import annotations

import io
import re
import tarfile
from dataclasses import dataclass

import numpy as np
from sklearn.model_selection import train_test_split

from ..inputs import IrregularSeries
from .base import Dataset
from .local_files import find, missing, verified

_FOLDER, _SOURCE = "physionet2012", "https://physionet.org/content/challenge-2012/1.0.0/"
_RECORDS, _RECORDS_SIZE = "set-a.tar.gz", 6_543_931
_RECORDS_SHA256 = "fbf9ad4ae00061e6421c296748c0c5d11d108a986b8d6ea841c6d81ffecffa14"
_OUTCOMES, _OUTCOMES_SIZE = "Outcomes-a.txt", 79_219
_OUTCOMES_SHA256 = "2613ea60ccda29f87571a7d6b09ad130858a8ccd66325bd073365925026883c2"

_LARGEST_RECORD = 100_000  # bytes; the largest has 23,810
_N_RECORDS = 3_996
_MEMBER = re.compile(r"set-a/(\d{6})\.txt")
_HEADER = "Time,Parameter,Value"

#: What is known of a patient on arrival; -1 stands for an unknown value.
DESCRIPTORS = ("Age", "Gender", "Height", "ICUType", "Weight")

#: The 41 columns: descriptors, and then the variables that are measured over time.
COLUMNS = (
    *DESCRIPTORS,
    *("Albumin", "ALP", "ALT", "AST", "Bilirubin", "BUN", "Cholesterol", "Creatinine"),
    *("DiasABP", "FiO2", "GCS", "Glucose", "HCO3", "HCT", "HR", "K", "Lactate", "Mg", "MAP"),
    *("MechVent", "Na", "NIDiasABP", "NIMAP", "NISysABP", "PaCO2", "PaO2", "pH", "Platelets"),
    *("RespRate", "SaO2", "SysABP", "Temp", "TroponinI", "TroponinT", "Urine", "WBC"),
)

_HOURS = 49  # from hour 0 to hour 48, which has the values at 48:00


@dataclass(frozen=True)
class Stays:
    """All values of all records, one entry per value, in the order of the archive.

    Attributes
    ----------
    record : ndarray of int
        Number of the record, from 0.
    minute : ndarray of int
        Minutes since arrival, 0 to 2,880.
    column : ndarray of int
        Index into :data:`COLUMNS`.
    value : ndarray of float64
    identifiers : ndarray of int, shape (n_records,)
    died : ndarray of int, shape (n_records,)
        Whether the patient died in hospital.
    """

    record: np.ndarray
    minute: np.ndarray
    column: np.ndarray
    value: np.ndarray
    identifiers: np.ndarray
    died: np.ndarray

    def series(self, minutes: int) -> IrregularSeries:
        """Return the records on a grid of `minutes`, with the mean of each cell's values.

        A series has a step for each time with a value. Times are in hours.
        """
        columns, cells = len(COLUMNS), 48 * 60 // minutes + 1
        step = self.record * cells + self.minute // minutes
        at, cell = np.unique(step, return_inverse=True)
        where = cell * columns + self.column
        counts = np.bincount(where, minlength=len(at) * columns)
        sums = np.bincount(where, self.value, minlength=len(at) * columns)
        values = np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)
        bounds = np.searchsorted(at // cells, np.arange(len(self.identifiers) + 1))
        times = at % cells * (minutes / 60)
        return IrregularSeries(values.reshape(-1, columns), times, bounds, COLUMNS)


def read_stays() -> Stays:
    """Return the records and outcomes of set A.

    Raises
    ------
    DatasetUnavailable
        If a file is missing or does not have the expected content.
    """
    contents = []
    for name, size, sha256 in (
        (_RECORDS, _RECORDS_SIZE, _RECORDS_SHA256),
        (_OUTCOMES, _OUTCOMES_SIZE, _OUTCOMES_SHA256),
    ):
        path = find(_FOLDER, name)
        if path is None:
            raise missing(_FOLDER, _FOLDER, f"{_RECORDS} and {_OUTCOMES}", _SOURCE)
        contents.append(verified(path, size, sha256))
    archive, outcomes = contents
    return parsed(archive, outcomes, _N_RECORDS)


def parsed(archive: bytes, outcomes: bytes, n_records: int) -> Stays:
    """Return the content of an archive of records and of a table of outcomes.

    Raises
    ------
    ValueError
        If they are not `n_records` records in the form of the challenge, with their outcomes.
    """
    died = _outcomes(outcomes)
    index = {name: i for i, name in enumerate(COLUMNS)}
    identifiers: list[int] = []
    record: list[int] = []
    minute: list[int] = []
    column: list[int] = []
    value: list[float] = []
    with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as tar:
        for member in tar:
            if member.isdir():
                continue
            match = _MEMBER.fullmatch(member.name)
            if match is None or not member.isfile() or member.size > _LARGEST_RECORD:
                raise ValueError(
                    f"expected records such as set-a/132539.txt of at most {_LARGEST_RECORD:,} "
                    f"bytes; got {member.name!r} of {member.size:,} bytes"
                )
            stream = tar.extractfile(member)
            assert stream is not None, "a regular file can be read"
            rows = _rows(stream.read().decode("ascii"), match[1])
            record += [len(identifiers)] * len(rows)
            identifiers.append(int(match[1]))
            for clock, name, text in rows:
                number = float(text)
                minute.append(60 * int(clock[:2]) + int(clock[3:]))
                column.append(index[name])
                value.append(np.nan if number == -1 and name in DESCRIPTORS else number)
    if len(identifiers) != n_records:
        raise ValueError(f"expected {n_records} records; got {len(identifiers)}")
    known = ~np.isnan(value)
    return Stays(
        np.array(record)[known],
        np.array(minute)[known],
        np.array(column)[known],
        np.array(value)[known],
        np.array(identifiers),
        np.array([died[i] for i in identifiers]),
    )


def _rows(text: str, identifier: str) -> list[list[str]]:
    """Return the rows (time, parameter, value) of a record, without its identifier."""
    header, *lines = text.split("\n")
    rows = [line.rstrip("\r").split(",") for line in lines if line]
    if header.rstrip("\r") != _HEADER or rows[:1] != [["00:00", "RecordID", identifier]]:
        raise ValueError(f"record {identifier} does not begin with its header and identifier")
    # Some rows have no name of a parameter: they hold no measurement.
    return [row for row in rows[1:] if row[1]]


def _outcomes(content: bytes) -> dict[int, int]:
    """Return whether each patient died in hospital, by record."""
    header, *lines = content.decode("ascii").splitlines()
    columns = header.split(",")
    record, death = columns.index("RecordID"), columns.index("In-hospital_death")
    rows = [line.split(",") for line in lines]
    return {int(row[record]): int(row[death]) for row in rows}


def physionet2012() -> Dataset:
    """Return deaths in hospital from hourly means, with a fifth of the records held out."""
    return _dataset("physionet2012", 60)


def physionet2012_minutes() -> Dataset:
    """Return deaths in hospital from all distinct times, with a fifth of the records held out."""
    return _dataset("physionet2012_minutes", 1)


def _dataset(name: str, minutes: int) -> Dataset:
    stays = read_stays()
    series = stays.series(minutes)
    if minutes == 60:
        series = regular(series, _HOURS)
    train, test = train_test_split(np.arange(len(series)), test_size=0.2, random_state=42)
    return Dataset(
        name,
        series[train],
        stays.died[train],
        series[test],
        stays.died[test],
        metric="roc_auc",
    )


def regular(series: IrregularSeries, n_steps: int) -> IrregularSeries:
    """Return series with a step for each of the times 0, 1, ... up to their last one.

    Steps that were missing have no observations. Times must be among 0, ..., n_steps - 1.
    """
    last = series.times[series.bounds[1:] - 1].astype(int)
    bounds = np.concatenate([[0], np.cumsum(last + 1)])
    values = np.full((bounds[-1], series.n_channels), np.nan)
    owner = np.repeat(np.arange(len(series)), series.lengths)
    values[bounds[owner] + series.times.astype(int)] = series.values
    times = np.concatenate([np.arange(n) for n in last + 1]).astype(float)
    assert times.max() < n_steps, "no time is beyond the grid"
    return IrregularSeries(values, times, bounds, series.names)
