"""One module a command, named after it with an underscore; each holds a `command`."""
