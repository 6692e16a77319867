"""Makes files of models with edits and right digests, loads them and uses them.

    python tests/persistence/edited_models.py FIRST LAST

Prints what came of each file, a JSON object a line. A child process, for a file that
crashes the interpreter ends it.
"""

import json
import re
import signal
import sys
import warnings
from copy import deepcopy
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from saved_models import (
    CLASSIFIERS,
    RETRIEVERS,
    TWO_VIEWS,
    fitted,
    networks,
    outputs,
)

from skcrl.persistence import _file
from skcrl.persistence._saved import Saved

NAMES = [*TWO_VIEWS, *CLASSIFIERS, *RETRIEVERS]
SCRIPT = '"><script>alert(1)</script>'
# Seconds that a file may take to load and to use.
_SECONDS = 60
ATTRIBUTES = [
    "__class__",
    "__dict__",
    "__doc_link_template",
    "__getattr__",
    "_doc_link_module",
    "_doc_link_template",
    "_doc_link_url_param_generator",
    "_estimator_type",
    "_html_repr",
    "_parameter_constraints",
    "_repr_html_",
    "_repr_html_inner",
    "_repr_mimebundle_",
    "_sklearn_auto_wrap_output_keys",
    "_sklearn_output_config",
    "_sk_visual_block_",
    "_validate_params",
    "_xpu",
    "n_features_in_",
    "transform",
    SCRIPT,
]
VALUES = [
    *(None, True, False, -1, 0, 1, 2, 7, 100, 10**6, 2**31 - 1, 2**31, 10**18, 10**30),
    *(0.5, -1.0, 1e-300, 1e308, "", "x", "precomputed", "cuda", "meta", SCRIPT),
    *([], {}, [[]], [0, 1], {"$": "array"}, {"$": "float", "of": "nan"}),
    {"$": "tuple", "of": [1, 1]},
    {"$": "slice", "of": [0, 10**12, None]},
    {"$": "type", "of": "builtins.float"},
]


def edit(rng, document, arrays):
    """Change one thing of a file."""
    kinds = [_put, _put, _remove, _give, _write_script, _change_array, _change_array]
    kinds[rng.integers(len(kinds))](rng, document, arrays)


def _places(document):
    """All places of a document: what holds them, and by which key."""
    keys = range(len(document)) if isinstance(document, list) else list(document)
    for key in keys:
        yield document, key
        if isinstance(document[key], (list, dict)):
            yield from _places(document[key])


def _place(rng, document):
    every = list(_places(document))
    return every[rng.integers(len(every))]


def _put(rng, document, arrays):
    """Another value, or another part of the document, in one of its places."""
    holder, key = _place(rng, document)
    other, other_key = _place(rng, document)
    values = [*VALUES, other[other_key]]
    holder[key] = deepcopy(values[rng.integers(len(values))])


def _remove(rng, document, arrays):
    holder, key = _place(rng, document)
    del holder[key]


def _give(rng, document, arrays):
    """An attribute to one of the objects."""
    objects = [
        holder[key]["state"]
        for holder, key in _places({"of": document})
        if isinstance(holder[key], dict) and isinstance(holder[key].get("state"), dict)
    ]
    state = objects[rng.integers(len(objects))]
    name = ATTRIBUTES[rng.integers(len(ATTRIBUTES))]
    state[name] = deepcopy(VALUES[rng.integers(len(VALUES))])


def _write_script(rng, document, arrays):
    """A script in place of a text."""
    texts = [
        (holder, key)
        for holder, key in _places(document)
        if isinstance(holder[key], str) and key not in ("$", "class")
    ]
    holder, key = texts[rng.integers(len(texts))]
    holder[key] = SCRIPT


def _change_array(rng, document, arrays):
    """Other numbers, fewer of them, or another type, in one of the arrays."""
    if not arrays:
        return
    name = list(arrays)[rng.integers(len(arrays))]
    array = np.array(arrays[name])
    change = rng.integers(6)
    if change == 0 and array.ndim:
        array = array[: rng.integers(len(array) + 1)]
    elif change == 1 and array.ndim > 1:
        array = array[:, : rng.integers(array.shape[1] + 1)]
    elif change == 2:
        array = array.ravel()
    elif change == 3:
        array = array.astype(rng.choice(["float32", "float64", "int32", "int64"]))
    elif array.size:
        extremes = [-1, 0, 1, 100, -(2**31), 2**31 - 1, 2**40, np.nan, np.inf, 1e300]
        value = np.asarray(extremes[rng.integers(len(extremes))])
        with np.errstate(all="ignore"):
            array.flat[rng.integers(array.size)] = value.astype(array.dtype)
    arrays[name] = array


def write_edited(rng, path, document, arrays):
    """Whether an edited file could be written: an edit of an edit may fail."""
    try:
        for _ in range(rng.integers(1, 4)):
            edit(rng, document, arrays)
        _file.write(path, "model", document, arrays)
    except Exception:
        return False
    return True


def used(name, path):
    """What comes of loading a file, and of using what it holds."""
    try:
        estimator = Saved.load(path, **networks(name))
    except ValueError as error:
        return {"refused": str(error).startswith(f"{path} ")}
    html, failed = "", []
    try:
        html = estimator._repr_html_()
        repr(estimator)
        outputs(name, estimator)
    except Exception as error:
        failed.append(f"{type(error).__name__}: {error}")
    return {"failed": failed, "script": SCRIPT in html}


def peak():
    """Bytes that this process has held at most since ``reset_peak``."""
    status = Path("/proc/self/status").read_text()
    return 1024 * int(re.search(r"VmHWM:\s+(\d+)", status)[1])


def reset_peak():
    """Count from what is held now."""
    Path("/proc/self/clear_refs").write_text("5")


def main(first, last):
    """Try the files of these numbers."""
    warnings.simplefilter("ignore")
    with TemporaryDirectory() as folder:
        path = Path(folder) / "model"
        whole = {}
        for name in NAMES:
            fitted(name).save(path)
            used(name, path)  # imports what is needed
            whole[name] = _file.read(path, "model")
        modules = set(sys.modules)
        for number in range(first, last):
            rng = np.random.default_rng(number)
            name = NAMES[number % len(NAMES)]
            while not write_edited(rng, path, *deepcopy(whole[name])):
                pass
            print(json.dumps({"number": number, "name": name}), flush=True)
            size = path.stat().st_size
            reset_peak()
            before = peak()
            signal.alarm(_SECONDS)
            outcome = used(name, path)
            signal.alarm(0)
            outcome["memory"] = [peak() - before, size]
            outcome["imported"] = sorted(
                module
                for module in set(sys.modules) - modules
                if not module.startswith(("sklearn.", "scipy.", "skcrl."))
            )
            print(json.dumps({"number": number, "name": name, **outcome}), flush=True)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
