"""The recipes srbench ships, one TOML file each."""
