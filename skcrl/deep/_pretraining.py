"""Layer-wise pretraining of dense encoders as denoising autoencoders."""

from copy import copy

import torch

from skcrl.deep._net import Objective, TwoViewNet
from skcrl.deep.losses import reconstruction
from skcrl.deep.modules import DenoisingPair


def pretrain(net, data, n_epochs, noise):
    """Train each layer of the dense encoders of a net, the first layer first.

    Each is a tied denoising autoencoder of what the layers before it make of the view,
    as in Andrew et al. (2013), trained as the net will be: by its optimiser, on the
    rows that it does not set aside for validation. Layers of both views that come at
    the same place are trained at the same time.

    Parameters
    ----------
    net : TwoViewNet
        Initialised, with a module that has ``pretraining_steps()``: its layers are
        changed.
    data : PairDataset or LoadedPairs
        Views, paired or not. Layers that take both see complete rows.
    n_epochs : int
        Epochs for each layer.
    noise : float
        Standard deviation of the noise on the input of each layer.

    Raises
    ------
    FloatingPointError
        If training diverges.
    """
    steps = list(net.module_.pretraining_steps())
    for i, step in enumerate(steps):
        autoencoder = _autoencoder(
            net,
            layers=step.layers,
            activations=step.activations,
            noise=noise,
            norms=step.norms,
        )
        # Layers that were looked at are still in evaluation, as norms would notice.
        autoencoder.module_.train()
        try:
            autoencoder.train_epochs(_Behind(data, step.inputs), n_epochs)
        except FloatingPointError as error:
            raise FloatingPointError(
                f"Pretraining diverged in layer {i + 1} of {len(steps)}: {error}. "
                f"Reduce lr={net.lr}, or scale the views to order 1."
            ) from error
        for norm in step.norms.values():
            # Those behind them see what they give once they are trained.
            norm.eval()
    net.module_.train()


class _Behind(torch.utils.data.Dataset):
    """Data as some layers take them.

    Parameters
    ----------
    data : PairDataset or LoadedPairs
        The data.
    inputs : callable
        From the views of a batch, by name, to what those layers take.
    """

    def __init__(self, data, inputs):
        self.data = data
        self.inputs = inputs

    def __getattr__(self, name):
        return getattr(self.data, name)

    def __len__(self):
        return len(self.data)

    @property
    def validation(self):
        """The user's validation set, or None, as the layers take it."""
        own = self.data.validation
        return None if own is None else _Behind(own, self.inputs)

    def part(self, *rows):
        """Some of the rows, by their numbers in the data set."""
        return _Behind(self.data.part(*rows), self.inputs)

    def batches(self, *args):
        """Batches of the data, behind the layers."""
        for batch in self.data.batches(*args):
            behind = copy(batch)
            with torch.no_grad():
                behind.views = self.inputs(batch.views)
            yield behind


def _autoencoder(net, **module_kwargs):
    """Net that trains as `net` does, on the error of its reconstruction."""
    return TwoViewNet(
        DenoisingPair,
        seed=net.seed,
        criterion=Objective,
        criterion__function=reconstruction,
        criterion__hyper={"factor": 0.5},
        optimizer=net.optimizer,
        lr=net.lr,
        batch_size=net.batch_size,
        penalty=net.penalty,
        mixed_precision=net.mixed_precision,
        micro_batch_size=net.micro_batch_size,
        train_split=net.train_split,
        device=net.device,
        verbose=0,
        **{f"module__{name}": value for name, value in module_kwargs.items()},
        **{
            f"{part}__{name}": value
            for part in ("optimizer", "iterator_train", "iterator_valid")
            for name, value in net.get_params_for(part).items()
        },
    ).initialize()
