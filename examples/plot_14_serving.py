"""
Serve a model, and export it
============================

A fitted model can be saved to a file that holds no code. It can answer single requests
from several threads. One side of it can be exported, as a module of torch or as an ONNX
file.
"""

# %%
# A file
# ------
# `save` writes the numbers and settings of a model to a file, and no code. `describe`
# says what is in a file without loading the model.

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from skcrl import DeepCCA, describe
from skcrl.datasets import load_digits_halves

left, right, _ = load_digits_halves()
left, right = left.astype(np.float32), right.astype(np.float32)
model = DeepCCA(4, hidden_layer_sizes=(32,), max_epochs=10, tol=0, random_state=0)
model.fit(left, right)

folder = TemporaryDirectory()
path = Path(folder.name) / "halves.skcrl"
model.save(path)
print(describe(path))

# %%
# `load` reads the model from the file.

model = DeepCCA.load(path)

# %%
# Requests
# --------
# Here four threads encode one row at a time. They share the model, and nothing is
# copied for a call. The codes are those of all rows together, except for rounding.

from concurrent.futures import ThreadPoolExecutor

requests = [left[i : i + 1] for i in range(100)]
with ThreadPoolExecutor(4) as pool:
    answers = list(pool.map(model.transform, requests))
print(np.allclose(np.vstack(answers), model.transform(left[:100]), atol=1e-5))

# %%
# A module
# --------
# `view("x")` is one side of the model. Its `module()` is a module of torch that
# computes the same codes. It accepts the rows in the same units as `transform` does.

import torch

module = model.view("x").module()
with torch.no_grad():
    codes = module(torch.from_numpy(left)).numpy()
print(np.allclose(codes, model.transform(left), atol=1e-5))

# %%
# `torch.export` can export this module. The exported program accepts any number of
# rows.

rows = torch.export.Dim("rows")
example = torch.from_numpy(left[:2])
program = torch.export.export(module, (example,), dynamic_shapes=({0: rows},))

# %%
# ONNX
# ----
# Torch can also export the module to an ONNX file, and any ONNX runtime can then
# compute the codes. Torch prints messages while it exports, which we suppress here.

from contextlib import redirect_stderr, redirect_stdout
from io import StringIO

import onnxruntime

onnx_path = Path(folder.name) / "left.onnx"
with redirect_stdout(StringIO()), redirect_stderr(StringIO()):
    torch.onnx.export(
        module,
        (example,),
        onnx_path,
        dynamo=True,
        dynamic_shapes=({0: rows},),
        input_names=["view"],
        output_names=["codes"],
    )
session = onnxruntime.InferenceSession(onnx_path)
(by_onnx,) = session.run(["codes"], {"view": left})
print(np.abs(by_onnx - codes).max() < 1e-4)

# %%
# Torch and ONNX give the same codes, except for rounding. The left picture shows the
# codes, and the right picture shows the differences, which are far smaller.

import matplotlib.pyplot as plt

fig, axes = plt.subplots(1, 2, layout="constrained", figsize=(8, 3))
axes[0].hist(codes.ravel(), bins=40)
axes[0].set_xlabel("codes")
axes[1].hist((by_onnx - codes).ravel(), bins=40, color="#D55E00")
axes[1].set_xlabel("codes of ONNX less codes of torch")
axes[0].set_ylabel("number of codes")
folder.cleanup()
