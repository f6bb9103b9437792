"""The store: what a record is, and where records are kept."""
