"""The user's `augment`, applied to training batches in the original units."""

import torch

from skcrl.deep._data import AUGMENT, PairBatch, stream_seed


class Augmentation:
    """Changes training batches at random.

    Parameters
    ----------
    function : callable (x, y, generator) -> (x, y)
        The user's function, which takes tensors of the complete rows.
    units : dict of str to Units
        The units that batches are in, for each side that is standardised.
    seed : int
        Seed of the training.
    """

    def __init__(self, function, units, seed):
        self.function = function
        self.units = {
            side: tuple(torch.from_numpy(part).float() for part in of)
            for side, of in units.items()
        }
        self.seed = seed

    def __call__(self, batch, epoch, number):
        """Return the changed batch that the network sees this time.

        Parameters
        ----------
        batch : PairBatch
            Batch of dense rows.
        epoch, number : int
            Number of the epoch, and of the batch in it. The changes depend only on
            these two and on the seed.
        """
        before = {side: self._restored(batch[side], side) for side in ("x", "y")}
        seed = stream_seed(self.seed, epoch, AUGMENT, number)
        generator = torch.Generator(before["x"].device).manual_seed(seed)
        given = [view.clone() for view in before.values()]
        after = _checked(self.function(*given, generator), list(before.values()))
        changed = {
            side: self._changed(batch[side], before[side], view, side)
            for side, view in zip(before, after, strict=True)
        }
        return PairBatch(batch.about, **{**batch.views, **changed})

    def _restored(self, view, side):
        if side not in self.units:
            return view
        mean, scale = (part.to(view.device) for part in self.units[side])
        return torch.addcmul(mean, view, scale)

    def _changed(self, view, before, after, side):
        if side not in self.units:
            return after
        _, scale = self.units[side]
        # A value that the function leaves alone stays the same down to the last bit.
        return torch.addcdiv(view, after - before, scale.to(view.device))


def _checked(after, before):
    """Return `after` if it is a pair of finite tensors of the kinds of `before`."""
    is_pair = isinstance(after, tuple | list) and len(after) == 2
    if not is_pair or list(map(_kind, after)) != list(map(_kind, before)):
        got = " and ".join(map(_kind, after)) if is_pair else type(after).__name__
        raise ValueError(
            "augment must return a pair (x, y) of tensors like those it was given, "
            f"{' and '.join(map(_kind, before))}, got {got}."
        )
    for name, view in zip("xy", after, strict=True):
        if not torch.isfinite(view).all():
            raise ValueError(f"augment returned values of {name} that are not finite.")
    return after


def _kind(view):
    if not isinstance(view, torch.Tensor):
        return type(view).__name__
    return f"{view.dtype} of shape {tuple(view.shape)} on {view.device}"
