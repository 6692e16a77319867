"""The methods ``save`` and ``load`` of estimators."""

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
    """Saves a fitted estimator to a file with data and without code, and loads it."""

    def save(self, path: File) -> None:
        """Save the fitted estimator to a file, from which ``load`` restores it.

        The file has the safetensors format: arrays and a JSON text, so it contains no
        code and no pickles. The loaded estimator gives exactly the same results, bit
        for bit; if steps of scikit-learn hold parts of larger arrays, up to rounding.
        Of a network, the weights are saved, but not the state of the optimiser: further
        training after ``load`` starts with a fresh optimiser. Of encoders and decoders
        of your own the file also has only the weights and not the code, so you pass
        them to ``load`` again. `memory` and `checkpoint`, which name files of this
        machine, and `n_jobs`, which depends on its cores, are saved as None.

        Parameters
        ----------
        path : str or path-like
            File to write, whose name usually ends in ``.skcrl``. Until the new file is
            complete, and after a crash, an earlier file is unchanged.

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.
        ValueError
            If a parameter or a step is not plain data (for example a function or a
            callback), if an object has an attribute that its class does not set, if a
            parameter is out of its range, if an encoder or a decoder of your own is no
            longer that of ``fit``, or if two estimators inside have a network of the
            same name. The error names it.
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
        """Load the estimator that ``save`` wrote to a file.

        Reading a file and using the estimator runs no code from the file, whoever made
        it. Every `n_jobs` is None: set it again if you need it.

        Parameters
        ----------
        path : str or path-like
            File to read.
        x_encoder, y_encoder, x_decoder, y_decoder, encoder : nn.Module or None, \
                default=None
            The networks of your own with which the estimator, or the estimator inside
            it (for example in a ViewPipeline), was made. Copies of them get the trained
            weights from the file. They themselves become the parameters of these names,
            and a new ``fit`` starts from their weights. None for those that the file
            does not need.

        Returns
        -------
        estimator : object
            Fitted estimator of the class that was saved, which is this class or derived
            from it.

        Raises
        ------
        ValueError
            If the file is not a model, is damaged, has a newer version, or contains an
            estimator of another class, or if `path` is a pipe or a device. Also if a
            network of your own is missing, is not needed by the file, is not an
            nn.Module, or does not have the weights that are in the file; the error
            names the first that differ.
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
                raise ValueError(
                    f"it holds a {kind.__name__}, which is not an estimator of skcrl"
                )
        if not issubclass(kind, cls):
            name = kind.__name__
            raise ValueError(
                f"{path} holds a {name}, not a {cls.__name__}: load it with "
                f"{name}.load."
            )
        check_given(path, asked, networks)
        with _named(path):
            estimator = EstimatorReader(arrays, networks).read(document)
            check_is_fitted(estimator)
        return estimator


@contextmanager
def _named(path):
    """Name the file in every error that its content causes."""
    try:
        yield
    except UnfitNetworkError as error:
        raise ValueError(f"{path} holds weights of another network: {error}") from None
    except Exception as error:
        raise ValueError(
            f"{path} is not a model that skcrl saved, or is damaged: {error}"
        ) from error
