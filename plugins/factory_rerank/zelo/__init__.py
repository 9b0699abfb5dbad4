"""Targets for rerankers from pairwise judgements (zELO, arXiv:2509.12541)."""
