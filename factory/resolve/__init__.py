"""Spec file → all that a plan needs: layers merged, every block narrowed by its plugin, all errors at once."""

from factory.resolve.layers import FULL_PROFILE, ResolvedSpec, ResolvedValue, resolve_spec

__all__ = ["FULL_PROFILE", "ResolvedSpec", "ResolvedValue", "resolve_spec"]
