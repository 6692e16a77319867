"""Layer-wise pretraining of dense encoders as denoising autoencoders."""

from copy import copy

import torch

from skcrl.deep._net import Objective, TwoViewNet
from skcrl.deep.losses import reconstruction
from skcrl.deep.modules import DenoisingPair


def pretrain(net, data, n_epochs, noise):
    """Train each layer of the dense encoders of a net, the first layer first.

    Each layer is trained as a tied denoising autoencoder of the outputs of the layers
    before it, as in Andrew et al. (2013). Training uses the optimiser of the net, and
    the rows that the net does not set aside for validation. Layers of both views that
    come at the same place are trained at the same time.

    Parameters
    ----------
    net : TwoViewNet
        An initialised net whose module has ``pretraining_steps()``. The layers of the
        module are changed.
    data : PairDataset or LoadedPairs
        Views, paired or not. Layers that take both see complete rows.
    n_epochs : int
        Number of epochs for each layer.
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
        # Layers that were applied before may still be in evaluation mode, in which
        # batch normalisation does not learn.
        autoencoder.module_.train()
        try:
            autoencoder.train_epochs(_Behind(data, step.inputs), n_epochs)
        except FloatingPointError as error:
            raise FloatingPointError(
                f"Pretraining diverged in layer {i + 1} of {len(steps)}: {error}. "
                f"Reduce lr={net.lr}, or scale the views to order 1."
            ) from error
        for norm in step.norms.values():
            # Later layers are trained on the outputs of norms in evaluation mode.
            norm.eval()
    net.module_.train()


class _Behind(torch.utils.data.Dataset):
    """Data set whose batches hold the inputs of some layers, instead of the views.

    Parameters
    ----------
    data : PairDataset or LoadedPairs
        The data.
    inputs : callable
        Function from the views of a batch, by name, to the inputs of those layers.
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
        """The user's validation set, with the inputs of the layers, or None."""
        own = self.data.validation
        return None if own is None else _Behind(own, self.inputs)

    def part(self, *rows):
        """Some of the rows, by their numbers in the data set."""
        return _Behind(self.data.part(*rows), self.inputs)

    def batches(self, *args):
        """Batches of the data, with the inputs of the layers."""
        for batch in self.data.batches(*args):
            behind = copy(batch)
            with torch.no_grad():
                behind.views = self.inputs(batch.views)
            yield behind


def _autoencoder(net, **module_kwargs):
    """Net that is trained as `net` is, but to reconstruct its inputs."""
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
