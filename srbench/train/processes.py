"""Run a training in one process, or in several started by ``accelerate launch`` or torchrun."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence

import torch
import torch.distributed
from torch import Tensor, nn

from srbench.errors import BadInput


class Processes:
    """Divides a batch among processes, and averages what they compute.

    Gradients are averaged here and not by DistributedDataParallel: the attack, the discriminator and the
    generator go through the same networks several times an iteration, some of them frozen, which its
    hooks do not take; and the average of equal shares is exactly the whole batch's gradient.

    Args:
        device: ``cpu`` or ``cuda``; several CUDA processes take one device each.
        threads: torch threads of this process; 0 divides the cores among the processes of this machine.

    Attributes:
        count: how many there are.
        rank: this one's number, from 0.
        device: this one's device.
    """

    def __init__(self, device: str = "cpu", threads: int = 0) -> None:
        from accelerate import PartialState

        state = PartialState(cpu=torch.device(device).type == "cpu")
        self.count, self.rank = int(state.num_processes), int(state.process_index)
        self.device = torch.device(state.device) if self.count > 1 else torch.device(device)
        beside = max(1, int(os.environ.get("LOCAL_WORLD_SIZE", "1")))
        torch.set_num_threads(threads or max(1, _cores() // beside))

    @property
    def main(self) -> bool:
        """Tell whether this is the one that writes files."""
        return self.rank == 0

    def share(self, batch: int, parts: int) -> int:
        """Return the number of samples of one part of one process's share of a batch.

        Raises:
            BadInput: the batch cannot be divided evenly.
        """
        if batch % (self.count * parts):
            raise BadInput(
                f"a batch of {batch} cannot be divided among {self.count} processes in {parts} "
                f"parts each: make data.batch a multiple of {self.count * parts}"
            )
        return batch // (self.count * parts)

    def indices(self, iteration: int, batch: int) -> Sequence[int]:
        """Return the sample indices of this process's share of an iteration's batch."""
        mine = batch // self.count
        first = iteration * batch + self.rank * mine
        return range(first, first + mine)

    def average(self, value: Tensor) -> Tensor:
        """Return the mean over all processes; every process has to call it."""
        if self.count > 1:
            torch.distributed.all_reduce(value)
            value /= self.count
        return value

    def average_gradients(self, module: nn.Module) -> None:
        """Replace a module's gradients by their mean over all processes, in one message."""
        if self.count == 1:
            return
        gradients = [p.grad for p in module.parameters() if p.grad is not None]
        whole = self.average(torch.cat([g.flatten() for g in gradients]))
        for gradient, part in zip(gradients, whole.split([g.numel() for g in gradients]), strict=True):
            gradient.copy_(part.view(gradient.shape))

    def any(self, flag: bool) -> bool:
        """Tell whether it is so in any process."""
        if self.count == 1:
            return flag
        votes = torch.tensor(float(flag), device=self.device)
        torch.distributed.all_reduce(votes)
        return bool(votes.item() > 0)

    @contextlib.contextmanager
    def main_first(self) -> Iterator[None]:
        """Run the body in the main process, then in the others, which see its files."""
        if not self.main:
            self.wait()
        yield
        if self.main:
            self.wait()

    def wait(self) -> None:
        """Wait until every process has called this."""
        if self.count > 1:
            torch.distributed.barrier()

    def close(self) -> None:
        """End talking to each other, once all have finished.

        After a barrier alone gloo may abort the slower one: the other leaves while it is still in the
        barrier (github.com/pytorch/gloo/issues/155). So the last word goes through the store.
        """
        if self.count > 1 and torch.distributed.is_initialized():
            leave()


def leave() -> None:
    """Destroy the default process group when nobody is in a collective any more; every process calls it."""
    from torch.distributed.distributed_c10d import _get_default_store

    store, count = _get_default_store(), torch.distributed.get_world_size()
    torch.distributed.barrier()
    # The process that holds the store may be gone before another has heard; then all had finished.
    with contextlib.suppress(torch.distributed.DistStoreError, torch.distributed.DistNetworkError):
        store.set(f"srbench/left/{torch.distributed.get_rank()}", "1")
        store.wait([f"srbench/left/{rank}" for rank in range(count)])
    torch.distributed.destroy_process_group()


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
