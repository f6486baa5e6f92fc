"""Pages that open anywhere: a run's report, and several runs side by side. One file each, no network."""

from ganvas.report.comparison import compare
from ganvas.report.page import write_report
from ganvas.report.writer import ReportWriter

__all__ = ["ReportWriter", "compare", "write_report"]
