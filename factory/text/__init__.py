"""Text utilities without other dependencies: normalisation, shingles, near duplicates, JSONL, templates."""
