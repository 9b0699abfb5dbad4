"""Teachers and judges: asked concurrently or on this machine, paid for once, within a budget and a perimeter."""

from factory.llm.client_pool import LEDGER_FILE, RESPONSES_FOLDER, TeacherPool
from factory.llm.ledger import BudgetTerms, read_ledger

__all__ = ["RESPONSES_FOLDER", "LEDGER_FILE", "TeacherPool", "BudgetTerms", "read_ledger"]
