"""Support every part of srbench: files, TOML, progress bars, torchvision."""
