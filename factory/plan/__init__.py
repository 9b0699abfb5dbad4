"""The compiled plan: stages with content keys, and which of them would run and why."""
