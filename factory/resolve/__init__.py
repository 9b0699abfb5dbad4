"""Spec file → all that a plan needs: layers merged, every block narrowed by its plugin, all errors at once."""

from factory.resolve.layers import FULL, Resolved, Value, resolve

__all__ = ["FULL", "Resolved", "Value", "resolve"]
