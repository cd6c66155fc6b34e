"""Reports of a sweep: its summary, comparisons with controls and published figures, the page."""

from .page import save_report
from .paired import PairedDifference, control_table, paired_differences, paired_table
from .summary import Beside, Row, beside, beside_table, summary, summary_table

__all__ = [
    "Beside",
    "PairedDifference",
    "Row",
    "beside",
    "beside_table",
    "control_table",
    "paired_differences",
    "paired_table",
    "save_report",
    "summary",
    "summary_table",
]
