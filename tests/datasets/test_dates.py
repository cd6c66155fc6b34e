"""Dates of tables, against the standard library's reader."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deepreservoir.datasets.dates import FORMATS, DateFormat

pytestmark = pytest.mark.host(reason="tables are read on the host")


@pytest.mark.parametrize("form", [text for text in FORMATS if text.startswith("%Y-%m-%d")])
@given(
    st.text(alphabet="0123456789-: TW+", min_size=8, max_size=20)
    | st.datetimes(datetime(1, 1, 1)).map(lambda t: t.isoformat(" ", "seconds"))
    | st.datetimes(datetime(1, 1, 1)).map(lambda t: t.isoformat("T", "minutes"))
)
def test_dates_in_iso_8601_are_those_of_strptime(form, cell):
    try:
        wanted = datetime.strptime(cell, form)
    except ValueError:
        with pytest.raises(ValueError, match=r"match|unconverted|range|day"):
            DateFormat(form).days(cell)
        return
    wanted = wanted if wanted.tzinfo else wanted.replace(tzinfo=UTC)
    days = (wanted - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds() / 86400
    assert DateFormat(form).days(cell) == days
