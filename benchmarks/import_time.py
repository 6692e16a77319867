"""How long does importing skcrl take beside sklearn.cross_decomposition?

Fresh processes in turn; the ratio is that of their CPU times, pair by pair.

    python benchmarks/import_time.py
"""

import argparse
import resource
import subprocess
import sys

import numpy as np

STATEMENTS = {
    "import skcrl": "import skcrl",
    "import LinearCCA": "from skcrl import LinearCCA",
    "sklearn.cross_decomposition": "import sklearn.cross_decomposition",
}


def cpu_seconds(statement):
    """User and system time of a fresh interpreter that runs `statement`."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", statement], check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main(argv=None):
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=11)
    args = parser.parse_args(argv)

    times = np.array(
        [
            [cpu_seconds(statement) for statement in STATEMENTS.values()]
            for _ in range(args.repeats)
        ]
    )
    ratios = np.median(times / times[:, -1:], axis=0)
    print(f"{'':28}{'CPU s':>8}{'ratio':>8}")
    for name, seconds, ratio in zip(
        STATEMENTS, np.median(times, axis=0), ratios, strict=True
    ):
        print(f"{name:28}{seconds:8.3f}{ratio:8.3f}")


if __name__ == "__main__":
    main()
