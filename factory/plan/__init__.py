"""The compiled plan: stages with content keys, what would run and why, and how long it may take."""
