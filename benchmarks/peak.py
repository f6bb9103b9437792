"""Peak memory of this process, as the kernel counts it."""

from __future__ import annotations

import resource
import sys
from pathlib import Path


def peak_mib() -> float:
    """In MiB since the process began its program; where there is no /proc, since its parent forked."""
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (
        1 << (20 if sys.platform == "darwin" else 10)
    )
