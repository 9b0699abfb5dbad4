"""Documentation site: reference pages generated from plugin classes, and the guides (`factory docs FOLDER`)."""
