"""A declarative factory of specialist models: a spec goes in, a verdict and a bundle come out."""

__version__ = "0.3.1"
