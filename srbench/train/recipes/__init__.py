"""Hold the recipes that come with srbench, one TOML file each."""
