"""Mistakes that mypy and pyright must find; it is not run.

Where one of them finds nothing, it says that there is nothing to ignore.
"""

import skcrl
from skcrl import (
    CrossViewClassifier,
    DeepCCA,
    KernelCCA,
    LinearCCA,
    ViewPipeline,
)
from skcrl.metrics import recall_at_k

X = [[0.0, 1.0], [1.0, 0.0]]

LinearCCA(n_component=2)  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]
LinearCCA(2, 0.1)  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]
LinearCCA("2")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
LinearCCA(solver="lanczo")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
KernelCCA(kernels="rbf")  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]
DeepCCA(learning_rate=1.0)  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]
DeepCCA(lr="fast")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
ViewPipeline()  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]
CrossViewClassifier(LinearCCA())  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]
cca = LinearCCA(2).fit(X, Y=X)  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]
LinearCCA(2).fit(X)  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]
LinearCCA(2).fit(X, X).view("left")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
LinearCCA.load("file", coder=X)  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]
recall_at_k(X, X, 5)  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]
_ = skcrl.LinerCCA  # type: ignore[attr-defined] # pyright: ignore[reportAttributeAccessIssue]
_ = skcrl.deep.DepCCA  # type: ignore[attr-defined] # pyright: ignore[reportAttributeAccessIssue]
