"""Hold trainings that belong together, one TOML file for each suite."""
