"""Data handling without ML: row files, the split, leakage, licences, requirements and review decisions."""
