"""Transformers and PEFT as their users know them: padded batches, any architecture, any device."""
