"""What a sweep found: its summary beside published figures, and the page that shows both."""

from .page import save_report
from .summary import Beside, Row, beside, beside_table, summary, summary_table

__all__ = ["Beside", "Row", "beside", "beside_table", "save_report", "summary", "summary_table"]
