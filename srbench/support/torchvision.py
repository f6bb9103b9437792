"""Make torchvision importable beside a torch build it was not compiled for.

The torchvision wheel on PyPI is a CUDA build. Beside a CPU-only torch its C++ library does not
load, and ``import torchvision`` dies with "operator torchvision::nms does not exist" because its
Python side registers shape functions for two operators nobody declared. Declaring the two schemas
first is enough: srbench (and lpips, pyiqa, torchattacks, spandrel) never call them.
"""

from __future__ import annotations

import contextlib
import functools


@functools.cache
def prepare_torchvision() -> None:
    """Declare ``torchvision::nms`` and ``torchvision::qnms`` unless torchvision brings them itself.

    Call before the first import of torchvision or of a library that imports it. Does nothing where
    the operators exist, so a matching torch and torchvision pair is left as it is.
    """
    import importlib.util
    from pathlib import Path

    import torch

    spec = importlib.util.find_spec("torchvision")
    if spec is None or spec.origin is None or hasattr(torch.ops.torchvision, "nms"):
        return
    for library in Path(spec.origin).parent.glob("_C.*"):
        # torchvision loads this same file on import; loading it here first shows whether it can.
        with contextlib.suppress(OSError):
            torch.ops.load_library(str(library))
    if hasattr(torch.ops.torchvision, "nms"):
        return
    schemas = torch.library.Library("torchvision", "FRAGMENT")
    schemas.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    schemas.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    _keep_alive.append(schemas)


# A torch.library.Library undoes its definitions when it is garbage-collected.
_keep_alive: list[object] = []
