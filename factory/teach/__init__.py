"""Teachers and judges: asked concurrently or on this machine, paid for once, within a budget and a perimeter."""

from factory.teach.desk import CALLS, LEDGER, Desk
from factory.teach.ledger import Terms, read

__all__ = ["CALLS", "LEDGER", "Desk", "Terms", "read"]
