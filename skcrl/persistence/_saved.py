"""What gives an estimator ``save`` and ``load``."""

from sklearn.utils.validation import check_is_fitted

from skcrl.persistence import _file
from skcrl.persistence._estimators import EstimatorReader, EstimatorWriter, found

_KIND = "model"


class Saved:
    """Writes a fitted estimator to a file that holds data and no code, and reads it."""

    def save(self, path):
        """Write the fitted estimator to a file, from which ``load`` makes it again.

        The file is of the safetensors format: arrays and a text of JSON, and so no code
        and no pickles. What is saved transforms the same, bit for bit; where steps of
        scikit-learn hold parts of larger arrays, up to rounding. Of a network the
        weights are saved and not the state of the optimizer: after ``load`` further
        training starts that afresh. `memory` and `checkpoint`, which name files of this
        machine, and `n_jobs`, which counts its cores, are saved as None.

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
            If a parameter or a step is no plain data, such as a function, a callback or
            a network of yours, if an attribute is none that its class sets, or if a
            parameter is out of its range. It is named.
        OSError
            If the file cannot be written.
        """
        check_is_fitted(self)
        writer = EstimatorWriter()
        document = writer.write(self, "")
        _file.write(path, _KIND, document, writer.arrays)

    @classmethod
    def load(cls, path):
        """Make the estimator that ``save`` wrote to a file.

        Reading a file and using what it holds runs no code of it, whoever made it.
        Every `n_jobs` is None: set it anew.

        Parameters
        ----------
        path : str or path-like
            File to read.

        Returns
        -------
        estimator : object
            Fitted estimator of the class that was saved, which is this one or derived
            from it.

        Raises
        ------
        ValueError
            If the file is no model, is damaged or of a newer version, or holds an
            estimator of another class, or if `path` is a pipe or a device.
        OSError
            If the file cannot be read.
        """
        document, arrays = _file.read(path, _KIND)
        try:
            kind = found(document["of"]["class"])
            if issubclass(kind, cls):
                estimator = EstimatorReader(arrays).read(document)
                check_is_fitted(estimator)
                return estimator
            if not issubclass(kind, Saved):
                raise ValueError(f"it holds a {kind.__name__} alone")
        except Exception as error:
            raise ValueError(
                f"{path} is no model that skcrl saved, or is damaged: {error}"
            ) from error
        name = kind.__name__
        raise ValueError(
            f"{path} holds a {name}, not a {cls.__name__}: load it by {name}.load."
        )
