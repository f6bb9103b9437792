"""Distil lpips-lite from LPIPS: a perceptual distance that comes with srbench."""
