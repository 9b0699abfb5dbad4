"""Base class of causal language-model objectives: prompt in, completion out."""
