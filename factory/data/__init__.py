"""Rows without ML: files of rows, the split, duplicates, leakage, and the statistics of the gate."""
