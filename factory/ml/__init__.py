"""Models, adapters, batches and the one trainer: the only place that imports torch at module level."""
