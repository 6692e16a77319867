"""Check what is in the sdist and in the wheel: `python .ci/check_packages.py dist`."""

import sys
import tarfile
import zipfile
from email.parser import Parser
from pathlib import Path

ROOT = Path(__file__).parents[1]
# What an sdist holds beside the package: what a wheel is built from, and metadata.
BESIDE = {"LICENSE", "README.md", "pyproject.toml", "PKG-INFO", ".gitignore"}
LICENSES = {"LICENSE", "skcrl/datasets/data/emoji/LICENSE.txt"}


def package_files():
    """Files of the package as they lie here."""
    return {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "skcrl").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def wheel_problems(path):
    """What is wrong with a wheel, one line each."""
    with zipfile.ZipFile(path) as wheel:
        names = set(wheel.namelist())
        info = next(name for name in names if name.endswith(".dist-info/METADATA"))
        metadata = Parser().parsestr(wheel.read(info).decode())
    folder = info.removesuffix("METADATA")
    inside = {name for name in names if not name.startswith(folder)}
    problems = _differences(package_files(), inside)
    if set(metadata.get_all("License-File", [])) != LICENSES:
        problems.append(f"License-File names other files than {sorted(LICENSES)}")
    problems += [
        f"no licence {name}"
        for name in sorted(LICENSES)
        if f"{folder}licenses/{name}" not in names
    ]
    return problems


def sdist_problems(path):
    """What is wrong with an sdist, one line each."""
    with tarfile.open(path) as sdist:
        names = {
            member.name.partition("/")[2]
            for member in sdist.getmembers()
            if member.isfile()
        }
    return _differences(package_files() | BESIDE, names)


def _differences(expected, found):
    missing = [f"{name} is missing" for name in sorted(expected - found)]
    return missing + [f"{name} does not belong" for name in sorted(found - expected)]


def main(folder):
    """Print what is wrong with the only wheel and the only sdist of a folder."""
    (wheel,), (sdist,) = folder.glob("*.whl"), folder.glob("*.tar.gz")
    problems = [
        f"{path.name}: {problem}"
        for path, check in ((wheel, wheel_problems), (sdist, sdist_problems))
        for problem in check(path)
    ]
    print("\n".join(problems) or f"{wheel.name} and {sdist.name} hold what they should")
    return bool(problems)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
