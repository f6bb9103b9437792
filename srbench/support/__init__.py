"""What every part of srbench leans on: files, TOML, progress bars, torchvision."""
