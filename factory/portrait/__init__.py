"""What the rows of a spec look like, read from the store: for the terminal, for a page, and as data."""

from factory.portrait.history import History, history
from factory.portrait.samples import Sample
from factory.portrait.spread import Bin, Counts, Histogram, Spread, spreads
from factory.portrait.steps import Step, steps
from factory.portrait.whole import Portrait, planned, portrait

__all__ = [
    "Bin", "Counts", "Histogram", "History", "Portrait", "Sample", "Spread", "Step", "history", "planned", "portrait",
    "spreads", "steps",
]
