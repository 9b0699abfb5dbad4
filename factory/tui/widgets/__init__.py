"""The widgets of the screens; each draws lines that a view produced."""
