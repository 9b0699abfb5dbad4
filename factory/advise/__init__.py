"""Whether to fine-tune at all: rules over the results of a survey, as a pure function."""

from factory.advise.rules import FINE_TUNE, GET_MORE_DATA, PROMPT, RETRIEVE, Advice, advise
from factory.advise.survey import ContenderEstimate, Survey

__all__ = ["FINE_TUNE", "GET_MORE_DATA", "PROMPT", "RETRIEVE", "Advice", "ContenderEstimate", "Survey", "advise"]
