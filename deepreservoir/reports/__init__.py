"""Reports of a sweep: its summary, the comparison with published figures, and the HTML page."""

from .page import save_report
from .summary import Beside, Row, beside, beside_table, summary, summary_table

__all__ = ["Beside", "Row", "beside", "beside_table", "save_report", "summary", "summary_table"]
