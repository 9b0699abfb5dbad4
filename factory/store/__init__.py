"""What is kept on disk: content-addressed outputs, append-only journals, and where both live."""
