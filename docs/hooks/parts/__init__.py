"""Parts of pages, each from the part of srbench it is about."""

from parts import attacks, defences, examples, models, protocols, sets, training

__all__ = ["attacks", "defences", "examples", "models", "protocols", "sets", "training"]
