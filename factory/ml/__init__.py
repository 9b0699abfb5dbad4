"""Models, adapters, batches and the trainer: the only package that imports torch at module level."""
