"""The torchvision repair: it works where it is needed and does nothing where it is not."""

from __future__ import annotations

import functools
import subprocess
import sys

CODE = """
import torch
from srbench.support.torchvision import prepare_torchvision, _keep_alive
{before}
prepare_torchvision()
prepare_torchvision()
import torchvision, torchvision.models, torchvision.transforms.v2
print(len(_keep_alive), torch.ops.torchvision.nms is not None)
"""


@functools.cache
def run(before: str = "") -> str:
    code = CODE.format(before=before)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_torchvision_imports_after_it() -> None:
    assert run() in ("1 True", "0 True")


def test_it_does_nothing_where_the_operators_are() -> None:
    """As beside a matching torch, whose torchvision brings them; beside another they are made up."""
    if run() == "0 True":
        return
    there = (
        "library = torch.library.Library('torchvision', 'DEF');"
        "library.define('nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor');"
        "library.define('qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor')"
    )
    assert run(there) == "0 True"
