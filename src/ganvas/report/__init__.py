"""Pages that open anywhere: the report of a run, and several runs side by side. One file each, no network, no library."""

from ganvas.report.comparison import compare
from ganvas.report.page import write_report

__all__ = ["compare", "write_report"]
