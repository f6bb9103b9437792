"""Figures for papers: crops side by side, robustness curves, the generalization matrix, the ablation."""
