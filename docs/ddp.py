"""Train the encoders of deep CCA in several processes.

    torchrun --nproc-per-node 2 docs/ddp.py encoders.pt

Correlation belongs to a whole batch: the mean of what two halves of it have is another
number. So each process encodes its share of a batch, and computes the objective on the
codes of all. Its gradient goes back through its own share only.
"""

import sys

import torch
import torch.distributed as dist
from sklearn.preprocessing import FunctionTransformer
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from skcrl import LinearCCA, ViewPipeline
from skcrl.datasets import load_digits_halves
from skcrl.deep.losses import trace_norm
from skcrl.deep.modules import TwoBranchOutput


class Encoders(nn.Module):
    """An encoder for each view: any module that gives (n_samples, n_components).

    It must treat rows one by one, so no BatchNorm or Dropout.
    """

    def __init__(self, x, y):
        super().__init__()
        self.x = x
        self.y = y

    def forward(self, x, y):
        """Codes of both views."""
        return self.x(x), self.y(y)


def make_encoders():
    """Encoders of the halves of digits, with the same weights in every process."""
    torch.manual_seed(0)
    return Encoders(
        *(nn.Sequential(nn.Linear(32, 64), nn.ReLU(), nn.Linear(64, 8)) for _ in "xy")
    )


def gather(code):
    """Codes of all processes in order of rank, with the gradient of this one's."""
    codes = [torch.empty_like(code) for _ in range(dist.get_world_size())]
    dist.all_gather(codes, code.detach())
    codes[dist.get_rank()] = code
    return torch.cat(codes)


def train(encoders, x, y, *, batch_size, n_epochs, reg=1e-4, lr=0.1, shuffle=True):
    """Train in place, and return the mean loss of each epoch.

    Each process takes the rows of `x` and `y` that it needs: let these be tensors that
    map a file, ``torch.from_numpy(np.load(path, mmap_mode="c"))``, if they are large.
    """
    rank, n_processes = dist.get_rank(), dist.get_world_size()
    if batch_size % n_processes:
        raise ValueError(
            f"batch_size={batch_size} is no multiple of the {n_processes} processes."
        )
    n_batches = len(x) // batch_size
    if n_batches == 0:
        raise ValueError(f"batch_size={batch_size} is more than the {len(x)} samples.")
    model = DistributedDataParallel(encoders)
    optimizer = torch.optim.SGD(model.parameters(), lr, momentum=0.9, nesterov=True)
    losses = []
    for epoch in range(n_epochs):
        order = torch.arange(len(x))
        if shuffle:  # from one seed, so that the processes agree
            generator = torch.Generator().manual_seed(epoch)
            order = torch.randperm(len(x), generator=generator)
        of_batches = []
        for rows in order[: n_batches * batch_size].view(n_batches, batch_size):
            share = rows.chunk(n_processes)[rank]
            optimizer.zero_grad()
            codes = map(gather, model(x[share], y[share]))
            loss = trace_norm(TwoBranchOutput(*codes), None, None, reg=reg)
            # Gradients of shares are to be added up, and DDP takes their mean.
            (n_processes * loss).backward()
            optimizer.step()
            of_batches.append(loss.item())
        losses.append(sum(of_batches) / n_batches)
    return losses


def encode(view, encoder):
    """Codes of an array."""
    with torch.inference_mode():
        return encoder(torch.from_numpy(view)).numpy()


def as_estimator(encoders, n_components, reg=1e-4):
    """What DeepCCA is after training: linear CCA on what the encoders give."""
    return ViewPipeline(
        LinearCCA(n_components, reg=reg),
        x=FunctionTransformer(encode, kw_args={"encoder": encoders.x}),
        y=FunctionTransformer(encode, kw_args={"encoder": encoders.y}),
    )


def main(path):
    """Train on digits and write losses and weights to a file."""
    dist.init_process_group("gloo")  # "nccl" for a GPU each
    left, right, _ = load_digits_halves()
    left, right = left[:1600].astype("float32"), right[:1600].astype("float32")
    encoders = make_encoders()
    losses = train(
        encoders,
        torch.from_numpy(left),
        torch.from_numpy(right),
        batch_size=400,
        n_epochs=5,
    )
    if dist.get_rank() == 0:
        torch.save({"losses": losses, "weights": encoders.state_dict()}, path)
        score = as_estimator(encoders, 8).fit(left, right).score(left, right)
        print(f"loss {losses[-1]:.3f}, total correlation {score:.3f} of 8")
    dist.destroy_process_group()


if __name__ == "__main__":
    main(sys.argv[1])
