"""Draw figures for papers: crops side by side, robustness curves, generalization matrix, ablation."""
