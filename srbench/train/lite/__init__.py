"""lpips-lite: a perceptual distance that comes with srbench, distilled from LPIPS."""
