"""Teachers and judges: asked concurrently or on this machine, paid for once, within a budget and a perimeter."""

from factory.teach.desk import RESPONSES_FOLDER, LEDGER_FILE, TeacherPool
from factory.teach.ledger import BudgetTerms, read_ledger

__all__ = ["RESPONSES_FOLDER", "LEDGER_FILE", "TeacherPool", "BudgetTerms", "read_ledger"]
