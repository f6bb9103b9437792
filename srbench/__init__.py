"""srbench: robustness benchmarks for real-world super-resolution."""

from srbench.version import __version__ as __version__
