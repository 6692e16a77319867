"""Loadings of a linear estimator as a data frame."""

from sklearn.utils._optional_dependencies import check_pandas_support


def loadings_frame(estimator, side, loadings, columns):
    """Data frame of loadings, with one named row for each column of the view.

    Parameters
    ----------
    estimator : TwoViewTransformer
        Fitted.
    side : {"x", "y"}
        View whose loadings they are.
    loadings : ndarray of shape (n_features, n_codes)
    columns : sequence of str
        Names of the codes.
    """
    pandas = check_pandas_support("loadings_frame")
    names = estimator._column_names(side)
    if names is None:
        names = [f"{side}{i}" for i in range(len(loadings))]
    return pandas.DataFrame(loadings, index=names, columns=columns)
