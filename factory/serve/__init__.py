"""Serve specialists: the server process that answers questions, and its client."""
