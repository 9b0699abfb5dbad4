"""Packed kernels for CPUs: batches without padding, prefix sharing, KV caches, greedy decoding and choice scoring."""
