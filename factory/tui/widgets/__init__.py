"""The widgets of the screens; each draws lines or tables that a view produced."""
