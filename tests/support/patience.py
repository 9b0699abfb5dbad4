"""How long a test waits for what must happen soon, however busy the machine is."""

PATIENCE = 120.0
"""Seconds. A test that passes never waits so long: only one that fails does."""
