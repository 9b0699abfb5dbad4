"""The few widgets that the screens are made of; each draws lines that a view made."""
