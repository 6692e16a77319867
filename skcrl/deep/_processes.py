"""The processes of a training that was started by ``torchrun``."""

import atexit
import os
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import torch
import torch.distributed as dist
from torch.distributed.rendezvous import rendezvous


class Processes(NamedTuple):
    """The processes that train one network together, and which of them this is.

    Each process holds the whole network and takes its share of the rows of every batch.
    """

    rank: int = 0
    size: int = 1

    def share(self, n_rows):
        """Slice of `n_rows` rows that belongs to this process."""
        return self._shares(n_rows)[self.rank]

    def gathered(self, own, n_rows):
        """All `n_rows` rows of a tensor, from the share of each process."""
        shares = self._shares(n_rows)
        # Backends can only gather parts of the same size.
        most = max(share.stop - share.start for share in shares)
        padded = own.new_zeros(most, *own.shape[1:])
        padded[: len(own)] = own.detach()
        parts = [torch.empty_like(padded) for _ in shares]
        dist.all_gather(parts, padded)
        return torch.cat(
            [
                part[: share.stop - share.start]
                for part, share in zip(parts, shares, strict=True)
            ]
        )

    def add_up_gradients(self, parameters):
        """Replace the gradients in each process by the sum over all processes."""
        gradients = [p.grad for p in parameters if p.grad is not None]
        # All gradients are exchanged at once: each exchange waits for the slowest
        # process.
        added = torch.cat([gradient.flatten() for gradient in gradients])
        dist.all_reduce(added)
        sizes = [gradient.numel() for gradient in gradients]
        for gradient, of_all in zip(gradients, added.split(sizes), strict=True):
            gradient.copy_(of_all.view_as(gradient))

    def equalise(self, tensors):
        """Give each process the tensors of the first one."""
        if self.size > 1:
            for tensor in tensors:
                dist.broadcast(tensor, src=0)

    def same_seed(self, seed):
        """The seed of the first process."""
        return self._first(seed) if self.size > 1 else seed

    def require_same(self, described):
        """Raise ValueError in all processes unless all begin the same training.

        Parameters
        ----------
        described : dict
            Plain data that describe the training, by their names in the error.
        """
        if self.size == 1:
            return
        first = self._first(described)
        different = sorted(
            name
            for name in first.keys() | described.keys()
            if first.get(name) != described.get(name)
        )
        of_all = [None] * self.size
        dist.all_gather_object(of_all, different)
        for rank, names in enumerate(of_all):
            if names:
                raise ValueError(
                    "The processes of torchrun train one network together, but "
                    f"process {rank} has other {', '.join(names)} than process 0: "
                    "call fit with the same data and parameters in each process."
                )

    def _first(self, value):
        values = [value]
        dist.broadcast_object_list(values, src=0)
        return values[0]

    def _shares(self, n_rows):
        bounds = np.linspace(0, n_rows, self.size + 1).astype(int).tolist()
        return [slice(*ends) for ends in pairwise(bounds)]


# The only process of a training.
ALONE = Processes()


def processes_of(device):
    """The processes that train together.

    If torch has a process group, this group is taken. If it has none, but ``torchrun``
    started this process, a group is initialised here. This is done once, because a
    store takes no second group.

    Parameters
    ----------
    device : str
        Device of the training. If this is "cuda", a process trains on the GPU that has
        the number of the process on this machine.
    """
    if not dist.is_available():
        return ALONE
    if dist.is_torchelastic_launched() and not dist.is_initialized():
        on_cuda = device.startswith("cuda")
        if on_cuda:
            torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
        store, rank, size = next(rendezvous("env://"))
        # After a restart the store still has the addresses of the earlier processes.
        # The prefix keeps them apart.
        start = f"start {os.environ.get('TORCHELASTIC_RESTART_COUNT', 0)}"
        dist.init_process_group(
            "nccl" if on_cuda else "gloo",
            store=dist.PrefixStore(start, store),
            rank=rank,
            world_size=size,
        )
        atexit.register(_leave)
    if not dist.is_initialized():
        return ALONE
    return Processes(dist.get_rank(), dist.get_world_size())


def _leave():
    if dist.is_initialized():
        dist.destroy_process_group()
