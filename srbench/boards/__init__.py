"""Leaderboards: a pure function of stored records. Nothing here runs a model."""
