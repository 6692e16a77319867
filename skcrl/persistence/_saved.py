"""What gives an estimator ``save`` and ``load``."""

from contextlib import contextmanager
from typing import TYPE_CHECKING, Self

from sklearn.utils.validation import check_is_fitted

from skcrl._typing import File
from skcrl.persistence import _file
from skcrl.persistence._card import card_of
from skcrl.persistence._estimators import EstimatorReader, EstimatorWriter, found
from skcrl.persistence._networks import UnfitNetworkError, check_given, networks_in

if TYPE_CHECKING:
    from torch import nn

_KIND = "model"


class Saved:
    """Writes a fitted estimator to a file that holds data and no code, and reads it."""

    def save(self, path: File) -> None:
        """Write the fitted estimator to a file, from which ``load`` makes it again.

        The file is of the safetensors format: arrays and a text of JSON, and so no code
        and no pickles. What is saved transforms the same, bit for bit; where steps of
        scikit-learn hold parts of larger arrays, up to rounding. Of a network the
        weights are saved and not the state of the optimizer: after ``load`` further
        training starts that afresh. Of encoders and decoders of yours, too, the file
        holds the weights, and none of their code: ``load`` is given them anew.
        `memory` and `checkpoint`, which name files of this machine, and `n_jobs`, which
        counts its cores, are saved as None.

        Parameters
        ----------
        path : str or path-like
            File to write, by custom ending in ``.skcrl``. Until the new one is
            complete, and after a crash, it holds what it held before.

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.
        ValueError
            If a parameter or a step is no plain data, such as a function or a callback,
            if an attribute is none that its class sets, if a parameter is out of its
            range, if an encoder or a decoder of yours is not that of ``fit`` any more,
            or if two estimators in it have one of the same name. It is named.
        OSError
            If the file cannot be written.
        """
        check_is_fitted(self)
        writer = EstimatorWriter()
        document = writer.write(self, "")
        _file.write(path, _KIND, document, writer.arrays, card_of(self))

    @classmethod
    def load(
        cls,
        path: File,
        *,
        x_encoder: "nn.Module | None" = None,
        y_encoder: "nn.Module | None" = None,
        x_decoder: "nn.Module | None" = None,
        y_decoder: "nn.Module | None" = None,
        encoder: "nn.Module | None" = None,
    ) -> Self:
        """Make the estimator that ``save`` wrote to a file.

        Reading a file and using what it holds runs no code of it, whoever made it.
        Every `n_jobs` is None: set it anew.

        Parameters
        ----------
        path : str or path-like
            File to read.
        x_encoder, y_encoder, x_decoder, y_decoder, encoder : nn.Module or None, \
                default=None
            The networks of yours that the estimator was made with, or the one estimator
            within it that has such, as in a ViewPipeline. Copies of them take the
            trained weights of the file, and they themselves become the parameters of
            those names, from whose weights a new ``fit`` starts. None stands for those
            that the file does not ask for.

        Returns
        -------
        estimator : object
            Fitted estimator of the class that was saved, which is this one or derived
            from it.

        Raises
        ------
        ValueError
            If the file is no model, is damaged or of a newer version, or holds an
            estimator of another class, or if `path` is a pipe or a device. If a network
            of yours is missing, is none that the file asks for, is no nn.Module, or has
            not the weights that are in the file; the first that differ are named.
        OSError
            If the file cannot be read.
        """
        networks = {
            "x_encoder": x_encoder,
            "y_encoder": y_encoder,
            "x_decoder": x_decoder,
            "y_decoder": y_decoder,
            "encoder": encoder,
        }
        networks = {name: one for name, one in networks.items() if one is not None}
        document, arrays = _file.read(path, _KIND)
        with _named(path):
            kind, asked = found(document["of"]["class"]), networks_in(document)
            if not issubclass(kind, Saved):
                raise ValueError(f"it holds a {kind.__name__} alone")
        if not issubclass(kind, cls):
            name = kind.__name__
            raise ValueError(
                f"{path} holds a {name}, not a {cls.__name__}: load it by {name}.load."
            )
        check_given(path, asked, networks)
        with _named(path):
            estimator = EstimatorReader(arrays, networks).read(document)
            check_is_fitted(estimator)
        return estimator


@contextmanager
def _named(path):
    """Name the file whatever its content leads to, which may be anything."""
    try:
        yield
    except UnfitNetworkError as error:
        raise ValueError(f"{path} holds weights of another network: {error}") from None
    except Exception as error:
        raise ValueError(
            f"{path} is no model that skcrl saved, or is damaged: {error}"
        ) from error
