"""Execution of a plan: the build loop, the worker process and its client."""
