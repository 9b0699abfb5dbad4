"""One module per command, named after it with a trailing underscore; each defines `command`."""
