"""Reports of a sweep: its summary, comparisons with controls and published figures, the page."""

from .markdown_tables import beside_table, summary_table
from .page import save_report
from .paired import PairedDifference, control_table, paired_differences, paired_table
from .summary import Beside, Row, beside, summary

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
