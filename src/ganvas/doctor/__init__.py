"""Is it training well, and what do I change? `diagnose` reads a run's log and answers with findings.

    diagnosis = diagnose("runs/r3gan-digits")
    diagnosis.healthy, [(finding.name, finding.change.line) for finding in diagnosis.findings]

signals.py reads the log, rules.py says what is wrong, advice.py what to change.
"""

from ganvas.doctor.diagnosis import diagnose
from ganvas.doctor.findings import FINDING_MEANINGS, FINDINGS, Change, Diagnosis, Finding, Plot

__all__ = ["FINDINGS", "FINDING_MEANINGS", "Change", "Diagnosis", "Finding", "Plot", "diagnose"]
