"""An estimator of known codes, which a retriever is then judged by alone."""

from sklearn.base import BaseEstimator


class Given(BaseEstimator):
    """Two-view estimator whose codes are the views themselves."""

    def fit(self, X, y):
        self.fitted_ = True
        return self

    def transform(self, X):
        return X

    transform_y = transform
