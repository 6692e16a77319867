"""Files of older versions load; ``write_data.py`` wrote them."""

import warnings

import numpy as np
import pytest
import sklearn
from sklearn.exceptions import InconsistentVersionWarning
from sklearn.utils.fixes import parse_version
from write_data import FOLDER, NAMES, joined

from skcrl.persistence import _file
from skcrl.persistence._saved import Saved

WROTE_SVC = parse_version("1.9")


@pytest.mark.parametrize("name", NAMES)
def test_files_of_version_1(name):
    if name == "classifier svc" and parse_version(sklearn.__version__) < WROTE_SVC:
        pytest.skip("An older scikit-learn misreads the SVC of a newer one.")
    with warnings.catch_warnings():
        # As scikit-learn goes on, its steps in the files say that they are older.
        warnings.simplefilter("ignore", InconsistentVersionWarning)
        model = Saved.load(FOLDER / f"{name.replace(' ', '_')}.skcrl")
    with np.load(FOLDER / "computed.npz") as computed:
        for kind, got in joined(name, model).items():
            expected = computed[f"{name}: {kind}"]
            if kind == "texts":
                assert got.tolist() == expected.tolist()
            else:
                # Other machines round differently.
                np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-5)


def test_they_are_of_version_1(monkeypatch):
    monkeypatch.setattr(_file, "VERSION", 0)
    for path in FOLDER.glob("*.skcrl"):
        with pytest.raises(ValueError, match="has version 1 of the format"):
            Saved.load(path)
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < 200_000
