"""The pages of all kinds, from their classes, and the guides, as HTML: `factory docs DIR`."""
