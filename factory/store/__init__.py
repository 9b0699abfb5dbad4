"""Persistent state: content-addressed stage outputs, append-only journals, and the folder of both."""
