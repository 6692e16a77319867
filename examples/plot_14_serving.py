"""
Serve a model, and export it
============================

A fitted model is kept in a file without code, answers single requests from several
threads, and one side of it leaves Python as a module of torch or a file of ONNX.
"""

# %%
# A file
# ------
# `save` writes numbers and settings, and no code. `describe` says what a file holds
# without making the model.

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

model = DeepCCA.load(path)

# %%
# Requests
# --------
# One row at a time, from several threads. Nothing is copied for a call.

from concurrent.futures import ThreadPoolExecutor

requests = [left[i : i + 1] for i in range(100)]
with ThreadPoolExecutor(4) as pool:
    answers = list(pool.map(model.transform, requests))
print(np.allclose(np.vstack(answers), model.transform(left[:100]), atol=1e-5))

# %%
# A module
# --------
# `view("x")` is one side of the model. Its module takes the rows as you have them.

import torch

module = model.view("x").module()
with torch.no_grad():
    codes = module(torch.from_numpy(left)).numpy()
print(np.allclose(codes, model.transform(left), atol=1e-5))

# %%
# `torch.export` takes it, with any number of rows:

rows = torch.export.Dim("rows")
example = torch.from_numpy(left[:2])
program = torch.export.export(module, (example,), dynamic_shapes=({0: rows},))

# %%
# ONNX
# ----
# So does ONNX, and any runtime that reads its files. Torch prints lines while it
# exports, which we leave out here.

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
# Both give the same codes. Here is how far they are apart, beside the codes themselves:

import matplotlib.pyplot as plt

fig, axes = plt.subplots(1, 2, layout="constrained", figsize=(8, 3))
axes[0].hist(codes.ravel(), bins=40)
axes[0].set_xlabel("codes")
axes[1].hist((by_onnx - codes).ravel(), bins=40, color="#D55E00")
axes[1].set_xlabel("codes of ONNX less codes of torch")
axes[0].set_ylabel("number of codes")
folder.cleanup()
