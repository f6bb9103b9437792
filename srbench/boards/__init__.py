"""Compute leaderboards, a pure function of stored records: nothing in this package runs a model."""
