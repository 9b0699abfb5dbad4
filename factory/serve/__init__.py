"""Specialists at work: a process that answers, and the light end that asks it."""
