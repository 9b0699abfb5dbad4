"""Text utilities without dependencies on the rest: normal form, shingles, near duplicates, JSONL, templates."""
