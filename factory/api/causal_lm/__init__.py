"""Objectives that learn to speak: prompt in, answer out."""
