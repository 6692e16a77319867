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
        Initialised, with a TwoBranch for module, whose encoders are changed.
    data : PairDataset or LoadedPairs
        Paired views.
    n_epochs : int
        Epochs for each layer.
    noise : float
        Standard deviation of the noise on the input of each layer.

    Raises
    ------
    FloatingPointError
        If training diverges.
    """
    encoders = {side: net.module_.encoders[side] for side in net.module_.dense_sides}
    n_layers = max(len(encoder.layers) for encoder in encoders.values())
    for i in range(n_layers):
        encoders = {s: e for s, e in encoders.items() if i < len(e.layers)}
        autoencoder = _autoencoder(
            net,
            layers={side: e.layers[i] for side, e in encoders.items()},
            activations={side: e.activations[i] for side, e in encoders.items()},
            noise=noise,
            norms={s: e.norms[i] for s, e in encoders.items() if i < len(e.norms)},
        )
        # Layers that were looked at are still in evaluation, as norms would notice.
        autoencoder.module_.train()
        try:
            autoencoder.train_epochs(_Behind(data, encoders, i), n_epochs)
        except FloatingPointError as error:
            raise FloatingPointError(
                f"Pretraining diverged in layer {i + 1} of {n_layers}: {error}. "
                f"Reduce lr={net.lr}, or bring the views to order one."
            ) from error
        for encoder in encoders.values():
            # Those behind them see what they give once they are trained.
            for norm in encoder.norms[i : i + 1]:
                norm.eval()
    net.module_.train()


class _Behind(torch.utils.data.Dataset):
    """Data as the first layers of encoders give them.

    Parameters
    ----------
    data : PairDataset or LoadedPairs
        The data.
    encoders : dict of MLP
        Encoders by side.
    n_layers : int
        How many layers.
    """

    def __init__(self, data, encoders, n_layers):
        self.data = data
        self.encoders = encoders
        self.n_layers = n_layers

    def __getattr__(self, name):
        return getattr(self.data, name)

    def __len__(self):
        return len(self.data)

    def part(self, *rows):
        """Some of the rows, by their numbers in the data set."""
        return _Behind(self.data.part(*rows), self.encoders, self.n_layers)

    def batches(self, *args):
        """Batches of the data, behind the layers."""
        for batch in self.data.batches(*args):
            behind = copy(batch)
            behind.views = {
                side: self._behind(side, batch[side]) for side in ("x", "y")
            }
            yield behind

    @torch.no_grad()
    def _behind(self, side, view):
        if side in self.encoders:
            encoder = self.encoders[side]
            for i in range(self.n_layers):
                view = encoder.layers[i](view)
                if i < len(encoder.norms):
                    view = encoder.norms[i](view)
                view = encoder.activations[i](view)
        return view


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
