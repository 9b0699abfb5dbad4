"""Clients of teachers and judges, remote or local, with a response cache, a ledger of requests and a budget."""

from factory.llm.client_pool import TeacherPool
from factory.llm.ledger import BudgetTerms, read_ledger
from factory.store.paths import LEDGER_FILE, RESPONSES_FOLDER

__all__ = ["LEDGER_FILE", "RESPONSES_FOLDER", "BudgetTerms", "TeacherPool", "read_ledger"]
