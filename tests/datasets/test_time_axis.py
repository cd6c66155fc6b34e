"""Columns of times: their formats, their steps, and the times that follow."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deepreservoir.datasets.time_axis import NotTimes, counts_evenly, is_time_name, sorted_axis

BERLIN = ZoneInfo("Europe/Berlin")
DAYS = [date(2019, 12, 20) + timedelta(i) for i in range(80)]
MONTHS = [date(1949 + i // 12, i % 12 + 1, 1) for i in range(60)]
HOURS = [datetime(2024, 3, 29, tzinfo=UTC) + timedelta(hours=i) for i in range(100)]

# (times, format for strftime, words of the description)
FORMATS = {
    "iso": (DAYS, "%Y-%m-%d", "daily"),
    "slashes": (DAYS, "%Y/%m/%d", "daily"),
    "german": (DAYS, "%d.%m.%Y", "daily"),
    "day first": (DAYS, "%d/%m/%Y", "read as day/month"),
    "month first": (DAYS, "%m/%d/%Y", "read as month/day"),
    "not padded": (DAYS, "%-m/%-d/%Y", "read as month/day"),
    "two digits": (DAYS, "%d.%m.%y", "daily"),
    "compact": (DAYS, "%Y%m%d", "daily"),
    "name of the month": (DAYS, "%d %b %Y", "daily"),
    "long name": (DAYS, "%B %d, %Y", "daily"),
    "midnights": (DAYS, "%Y-%m-%d 00:00:00", "daily"),
    "weeks": (DAYS[3::7], "%G-W%V", "weekly"),
    "months": (MONTHS, "%Y-%m", "monthly, 50 values from 1949-01 to 1953-02"),
    "first of months": (MONTHS, "%d/%m/%Y", "monthly"),
    "names of months": (MONTHS, "%b %Y", "monthly"),
    "capitals": (MONTHS, "%^b-%y", "monthly"),
    "months and years": (MONTHS, "%-m/%Y", "monthly"),
    "statistics": (MONTHS, "%YM%m", "monthly"),
    "compact months": (MONTHS, "%Y%m", "monthly"),
    "years": (MONTHS[::12] * 0 + [date(1900 + i, 1, 1) for i in range(80)], "%Y", "yearly"),
    "hours": (HOURS, "%Y-%m-%dT%H:%M:%SZ", "hourly"),
    "noon": (HOURS, "%m/%d/%Y %I:%M %p", "hourly"),
    "pandas": (HOURS, "%Y-%m-%d %H:%M:%S+00:00", "hourly"),
    "fractions": (HOURS, "%Y-%m-%dT%H:%M:%S.%f", "hourly"),
}


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("newest_first", [False, True])
def test_times_go_on_in_the_format_of_the_column(name, newest_first):
    times, form, words = FORMATS[name]
    cells = [time.strftime(form) for time in times]
    known = cells[:50] if len(cells) > 50 else cells[:8]
    axis, order = sorted_axis("date", known[::-1] if newest_first else known)
    assert axis.text(axis.values) == known
    assert words in str(axis)
    assert axis.text(axis.after(len(cells) - len(known))) == cells[len(known) :]
    rows = np.arange(len(known))
    np.testing.assert_array_equal(order, rows[::-1] if newest_first else rows)


@pytest.mark.parametrize("template", ["{year}Q{quarter}", "{year}-Q{quarter}", "Q{quarter} {year}"])
def test_quarters(template):
    cells = [template.format(year=2000 + i // 4, quarter=i % 4 + 1) for i in range(20)]
    axis, _ = sorted_axis("q", cells[:15])
    assert str(axis).startswith("quarterly, 15 values")
    assert axis.text(axis.after(5)) == cells[15:]


@pytest.mark.parametrize(
    ("scale", "text"), [(1, "{:d}"), (1000, "{:d}"), (10**6, "{:d}"), (1, "{:.1f}")]
)
def test_unix_times(scale, text):
    seconds = [1_700_000_000 + 600 * i + (0.5 if "f" in text else 0) for i in range(30)]
    cells = [text.format(second * scale) for second in seconds]
    axis, _ = sorted_axis("timestamp", cells[:20])
    assert str(axis).startswith("every 10 minutes, 20 values")
    assert axis.text(axis.after(10)) == cells[20:]
    assert axis.has_dates


@pytest.mark.parametrize("name", ["time", "sample"])
@pytest.mark.parametrize("first", [1_700_000_000_123_456_789, 10_000_000_000_000_000_007])
def test_unix_times_in_nanoseconds_are_not_rounded(name, first):
    axis, _ = sorted_axis(name, [str(first + i * 10**9) for i in range(40)])
    assert axis.text(axis.after(2)) == [str(first + 40 * 10**9), str(first + 41 * 10**9)]
    assert str(axis).startswith("every second, 40 values")


def test_nanoseconds_that_differ_are_read_as_whole_microseconds():
    axis, _ = sorted_axis("t", [str(1_700_000_000 * 10**9 + i * 10**9 + i % 7) for i in range(40)])
    assert axis.text(axis.after(1)) == [str(1_700_000_040 * 10**9)]


def test_numbers_that_are_no_dates_have_a_step():
    cells = [f"{0.02 * i:.2f}" for i in range(30)]
    axis, _ = sorted_axis("t", cells[:20])
    assert str(axis) == "every 0.02, 20 values from 0.00 to 0.38"
    assert axis.text(axis.after(10)) == cells[20:]
    assert not axis.has_dates
    axis, _ = sorted_axis("t", cells[:5] + cells[6:20])
    assert axis.text(axis.missing()) == ["0.10"]


@settings(max_examples=60, deadline=None)
@given(
    start=st.dates(date(1800, 1, 1), date(2200, 1, 1)),
    step=st.integers(1, 40),
    form=st.sampled_from(["%Y-%m-%d", "%d.%m.%Y", "%d %b %Y", "%Y%m%d", "%m/%d/%Y", "%-d/%-m/%Y"]),
    seed=st.integers(0, 2**32 - 1),
)
def test_any_dates_in_any_order(start, step, form, seed):
    cells = [(start + timedelta(step * i)).strftime(form) for i in range(40)]
    known = [cells[i] for i in np.random.default_rng(seed).permutation(35)]
    axis, order = sorted_axis("date", known)
    assert [known[row] for row in order] == axis.text(axis.values) == cells[:35]
    assert axis.text(axis.after(5)) == cells[35:]


def test_years_of_two_digits_do_not_jump_a_century():
    months = [date(1968 + i // 12, i % 12 + 1, 1).strftime("%b-%y") for i in range(36)]
    axis, _ = sorted_axis("month", months)
    assert axis.text(axis.values) == months
    assert str(axis).startswith("monthly")


def test_offsets_from_utc_make_hours_regular_where_clocks_change():
    cells = [time.astimezone(BERLIN).isoformat() for time in HOURS]
    axis, _ = sorted_axis("time", cells[:60])  # 31 March 2024, 2:00 does not exist
    assert str(axis).startswith("hourly, 60 values")
    assert not len(axis.missing())
    assert axis.text(axis.after(40)) == cells[60:]


def test_days_are_regular_on_the_clock():
    cells = [datetime(2024, 3, 1 + i, tzinfo=BERLIN).isoformat() for i in range(31)]
    axis, _ = sorted_axis("time", cells)
    assert str(axis).startswith("daily, 31 values")


def test_an_hour_that_occurs_twice_is_refused_with_the_remedy():
    start = datetime(2024, 10, 26, tzinfo=UTC)
    hours = [(start + timedelta(hours=i)).astimezone(BERLIN) for i in range(48)]
    cells = [hour.strftime("%Y-%m-%d %H:%M") for hour in hours]
    with pytest.raises(NotTimes, match=r"'2024-10-27 02:00' occurs 2 times.*\+01:00"):
        sorted_axis("time", cells)


def test_missing_times_are_listed():
    cells = [day.isoformat() for day in DAYS if day.day not in (14, 15)]
    axis, _ = sorted_axis("day", cells)
    missing = [day.isoformat() for day in DAYS if day.day in (14, 15)]
    assert axis.text(axis.missing()) == missing


def test_weekdays_with_holidays():
    holidays = {date(2019, 12, 25), date(2020, 1, 1)}
    cells = [day.isoformat() for day in DAYS if day.weekday() < 5 and day not in holidays]
    axis, _ = sorted_axis("day", cells)
    assert str(axis).startswith("every weekday")
    assert axis.text(axis.missing()) == sorted(day.isoformat() for day in holidays)


@pytest.mark.parametrize(
    ("cells", "row", "words"),
    [
        (["2024-01-01", "2024-01-02", "n/a", "2024-01-04"], 2, "'n/a'"),
        (["2024-01-01", "2024-01-02", "", "2024-01-04"], 2, "got ''"),
        (["2024-02-28", "2024-02-29", "2024-02-30"], 2, "as in other rows, such as '2024-02-28'"),
        (["2024-01-01", "02.01.2024", "2024-01-03"], 1, "'02.01.2024'"),
        (["2024-01-01T00:00", "2024-01-02", "2024-01-03T00:00"], 1, "'2024-01-02'"),
        (["2024-01-01T00:00Z", "2024-01-02T00:00", "2024-01-03T00:00Z"], 1, "'2024-01-02T00:00'"),
        (["2024-01-01", "2024-01-02", "2024-01-01"], 2, "occurs 2 times"),
        (["2024-01-01", "2024-01-02", "2024-01-10"], 2, "8 days after '2024-01-02'"),
        (["2024-01-01 10:00", "2024-01-01 10:01", "2024-01-01 12:00"], 2, "1.983 hours after"),
        (["monday", "tuesday", "friday"], 0, "expected dates, such as 2024-01-31"),
        (["1", "2", "4"], 2, "unequal"),
        (["1", "nan", "3"], 1, "'nan'"),
    ],
    ids=range(12),
)
def test_what_is_no_axis_is_refused_with_its_row(cells, row, words):
    with pytest.raises(NotTimes) as caught:
        sorted_axis("date", cells)
    assert words in str(caught.value)
    assert caught.value.cell == row


def test_names_and_counts():
    assert all(map(is_time_name, ("Date", "YEAR", "timestamp", "t", "ds", "unix_time")))
    assert not any(map(is_time_name, ("price", "temp", "rate", "")))
    assert counts_evenly(np.arange(5.0))
    assert counts_evenly(np.arange(5.0)[::-1])
    assert counts_evenly(np.round(np.arange(1700, 1750) + np.arange(50) / 12, 3), 3)
    assert not counts_evenly(np.arange(5.0) ** 2)
    assert not counts_evenly(np.ones(5))


YEAR = [date(2024, 1, 1) + timedelta(i) for i in range(366)]
TEN_YEARS = [date(2005 + i // 12, i % 12 + 1, 1) for i in range(120)]
QUARTERS_OF_HOURS = [datetime(2024, 1, 1) + timedelta(minutes=15 * i) for i in range(1152)]


@pytest.mark.parametrize(
    ("times", "form", "words"),
    [
        (YEAR, "%y/%m/%d", "daily, 366 values from 24/01/01 to 24/12/31"),
        (TEN_YEARS, "%m/%d/%Y", "monthly, 120 values from 01/01/2005 to 12/01/2014"),
        (TEN_YEARS, "%m-%d-%Y", "monthly, 120 values from 01-01-2005 to 12-01-2014"),
        (TEN_YEARS, "%d/%m/%Y", "monthly, 120 values from 01/01/2005 to 01/12/2014"),
        (QUARTERS_OF_HOURS, "%m/%d/%Y %H:%M", "every 15 minutes, 1,152 values from 01/01/2024"),
    ],
)
def test_of_two_readings_that_with_fewer_missing_times_is_taken(times, form, words):
    axis, order = sorted_axis("date", [each.strftime(form) for each in times])
    assert str(axis).startswith(words)
    np.testing.assert_array_equal(order, np.arange(len(times)))
    assert axis.n_missing == len(axis.missing()) == 0


@pytest.mark.parametrize("form", ["%Y-%m-%d", "%m/%d/%Y"])
def test_missing_times_are_counted(form):
    kept = [each for i, each in enumerate(YEAR) if i not in (50, 51, 52, 200)]
    axis, _ = sorted_axis("date", [each.strftime(form) for each in kept])
    assert axis.n_missing == len(axis.missing()) == 4
    numbers, _ = sorted_axis("t", [str(i) for i in range(60) if i not in (7, 8)])
    assert numbers.n_missing == len(numbers.missing()) == 2
