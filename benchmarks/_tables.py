"""Outputs of scripts that the documents show, by the name that their markers have.

A command is the name of a script of this folder and its arguments. Minutes are those of
one busy core, until a run has been stored.
"""

import shlex
from typing import NamedTuple

MNIST = ("mnist/mnist.npz",)
MFEAT = ("mfeat/mfeat.npz",)
LEARNED = ("multi30k/train.de.txt", "multi30k/train.en.txt")
CAPTIONS = (*LEARNED, "multi30k/test.de.txt", "multi30k/test.en.txt")


class Table(NamedTuple):
    """What is run for one name."""

    name: str
    minutes: float
    commands: tuple  # each the words of a command line, in one text
    needs: tuple = ()  # files in $SKCRL_DATA

    @property
    def result(self):
        """Name in the store."""
        return f"tables/{self.name}"

    def parameters(self):
        """What decides, beside data and code, what is printed."""
        return {"commands": list(self.commands)}

    def command_lines(self):
        """Words of each command."""
        return [shlex.split(command) for command in self.commands]


_ALL = (
    Table("demo", 2, ("transfer_halves --data digits",)),
    Table("exchangeability", 3, ("exchangeability",)),
    Table("covariates", 9, ("covariates",)),
    Table("permutation-power", 9, ("permutation_power",)),
    Table("sample-size", 15, ("sample_size",)),
    Table("sparse-peers", 60, ("sparse_peers --sets 1 --limit 30",), MFEAT),
    Table("anchors", 1, ("single_cells --part anchors",)),
    Table("single-cells-cost", 5, ("single_cells --part cost",)),
    Table("frozen-spaces", 20, ("frozen_spaces --seeds 3",), CAPTIONS),
    Table("joint-codes-digits", 9, ("joint_codes --data digits",)),
    Table("joint-codes-sequences", 15, ("joint_codes --data sequences",)),
    Table("mnist", 60, ("transfer_halves --data mnist",), MNIST),
    Table("losses-digits", 6, ("transfer_halves --losses",)),
    Table(
        "losses-mnist",
        20,
        ("transfer_halves --data mnist --train 10000 --losses",),
        MNIST,
    ),
    Table(
        "iterations",
        15,
        ("mnist_halves_table --components 50 100 200 --only NOI",),
        MNIST,
    ),
    Table(
        "more-components",
        30,
        (
            "mnist_halves_table --components 100 200 --only DeepCCA",
            "mnist_halves_table --only gap --weight 1e-3 --epochs 10 --correlation",
        ),
        MNIST,
    ),
    Table(
        "gap-weight",
        9,
        (
            "mnist_halves_table --train 10000 --components 50 --only CorrNet",
            "mnist_halves_table --train 10000 --components 50 --only gap",
        ),
        MNIST,
    ),
    Table("linear-peers", 30, ("linear_peers --case tall square",)),
    Table("kernel-peers", 15, ("kernel_peers",)),
    Table("linear-scale", 9, ("linear_scale",), LEARNED),
    Table("retrieval", 30, ("retrieval --seeds 3",), CAPTIONS),
    Table("retrieval-few", 15, ("retrieval --seeds 3 --share 10",), CAPTIONS),
    Table("retrieval-paper", 40, ("retrieval --paper --share 3",), CAPTIONS),
    Table("captions-linear", 2, ("captions --only linear",), CAPTIONS),
    Table(
        "captions-best",
        15,
        ("captions --only 'best one model' --seeds 3",),
        CAPTIONS,
    ),
    Table("audio-sheet", 15, ("retrieval --data audio-sheet --share 100 10",)),
    Table(
        "missing-cells",
        5,
        (
            "missing_cells --share 0.1 0.3 --data made 'body, blood' 'mean, worst' "
            "exercises",
        ),
    ),
)
TABLES = {table.name: table for table in _ALL}
