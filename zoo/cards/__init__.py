"""Hold the cards of the models, one TOML file each."""
