"""A run in words, and as one HTML file."""
