"""Layer-wise pretraining of dense encoders as denoising autoencoders."""

from skcrl.deep._data import PairDataset
from skcrl.deep._net import Objective, TwoViewNet
from skcrl.deep.losses import reconstruction
from skcrl.deep.modules import DenoisingPair


def pretrain(net, X, y, n_epochs, noise, weights=None):
    """Train each layer of the dense encoders of a net, the first layer first.

    Each is a tied denoising autoencoder of what the layers before it make of the view,
    as in Andrew et al. (2013), trained as the net will be: by its optimiser, on the
    rows that it does not set aside for validation. Layers of both views that come at
    the same place are trained at the same time.

    Parameters
    ----------
    net : TwoViewNet
        Initialised, with a TwoBranch for module, whose encoders are changed.
    X, y : ndarray of shape (n_samples, ...)
        Paired views.
    n_epochs : int
        Epochs for each layer.
    noise : float
        Standard deviation of the noise on the input of each layer.
    weights : ndarray of shape (n_samples,) or None, default=None
        How many samples each row stands for; None is one each.

    Raises
    ------
    FloatingPointError
        If training diverges.
    """
    views = {"x": X, "y": y}
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
        data = PairDataset.from_arrays(views["x"], views["y"], weights=weights)
        try:
            autoencoder.train_epochs(data, n_epochs)
        except FloatingPointError as error:
            raise FloatingPointError(
                f"Pretraining diverged in layer {i + 1} of {n_layers}: {error}. "
                f"Reduce lr={net.lr}, or bring the views to order one."
            ) from error
        if i + 1 < n_layers:
            for side in encoders:
                views[side] = autoencoder.evaluate("encode", views[side], side=side)
    net.module_.train()


def _autoencoder(net, **module_kwargs):
    """Net that trains as `net` does, on the error of its reconstruction."""
    return TwoViewNet(
        DenoisingPair,
        seed=net.seed,
        criterion=Objective,
        criterion__function=reconstruction,
        criterion__hyper={"mean_over_features": False},
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
