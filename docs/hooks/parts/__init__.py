"""Parts of pages, each from the part of srbench it is about."""

from parts import attacks, examples, models, protocols, sets, training

__all__ = ["attacks", "examples", "models", "protocols", "sets", "training"]
