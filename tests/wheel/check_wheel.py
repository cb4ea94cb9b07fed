"""Build sdist and wheel from a clean copy of the checkout, and try the wheel where it is alone.

    python tests/wheel/check_wheel.py FOLDER

FOLDER receives both files. The Python that runs this needs `build`, `setuptools`, `mypy` and
`basedpyright`.
"""

import json
import shutil
import subprocess
import sys
import tempfile
import venv
import zipfile
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
# Extras, and the backends that they bring: without any there is NumPy alone.
ENVIRONMENTS = {"": ["numpy"], "[jax,store]": ["numpy", "jax"], "[all]": ["numpy", "torch", "jax"]}
# The stages over files, and what they are run with: there is no torch for the second.
STAGES = {"capture": "[all]", "correlate": "[jax,store]", "evaluate": "[all]"}
# Extras that are small; each is installed on top of the others, and must bring what it says.
SMALL = ("stats", "frames", "files", "plots")


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="gsnn-edges-wheel-") as name:
        scratch = Path(name)
        wheel = build(scratch)
        pythons = {extras: try_wheel(wheel, extras, scratch) for extras in ENVIRONMENTS}
        check_types(pythons["[all]"], scratch)
        for stage, extras in STAGES.items():
            trial(pythons[extras], "try_stages.py", stage, folder=scratch)
        for extra in SMALL:
            install(pythons[""], f"{wheel}[{extra}]")
            trial(pythons[""], "try_stages.py", "extra", extra, folder=scratch)
        shutil.copytree(wheel.parent, sys.argv[1], dirs_exist_ok=True)


def build(scratch: Path) -> Path:
    """Build the sdist and from it the wheel, which must be the wheel of the checkout."""
    # A copy, as setuptools would take up what earlier builds left in the checkout.
    checkout = scratch / "checkout"
    leave = shutil.ignore_patterns(".*", "build", "dist", "*.egg-info", "__pycache__")
    shutil.copytree(ROOT, checkout, ignore=leave)
    contents, command = [], [sys.executable, "-m", "build", "--no-isolation", checkout]
    for folder, options in (("direct", ["--wheel"]), ("released", [])):
        call = [*command, *options, "--outdir", scratch / folder]
        done = subprocess.run(call, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode:
            sys.exit(f"{done.stdout}\nthe build failed: {call}")
        (wheel,) = (scratch / folder).glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            contents.append({(file.filename, file.CRC) for file in archive.infolist()})
    if different := contents[0] ^ contents[1]:
        sys.exit(f"the sdist builds another wheel than the checkout: {sorted(different)}")
    return wheel


def try_wheel(wheel: Path, extras: str, scratch: Path) -> Path:
    """Use a wheel in an environment of its own, from an empty folder; give its Python."""
    print(f"--- {wheel.name}{extras} in an environment of its own", flush=True)
    place = Path(tempfile.mkdtemp(dir=scratch))
    venv.create(place / "environment")
    python = place / "environment" / "bin" / "python"
    install(python, f"{wheel}{extras}")
    trial(python, "try_installed.py", *ENVIRONMENTS[extras], folder=place)
    return python


def trial(python: Path, script: str, *arguments: str, folder: Path) -> None:
    # -I: neither the folder of the script nor PYTHONPATH may lead back to the checkout.
    subprocess.run([python, "-I", HERE / script, *arguments], cwd=folder, check=True)


def install(python: Path, what: str) -> None:
    """Install into an environment, of the versions that are pinned."""
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    pinned = ["--constraint", ROOT / "constraints.txt"]
    subprocess.run([*pip, "--python", python, "install", *pinned, what], check=True)


def check_types(python: Path, folder: Path) -> None:
    """Have type checkers read a user's script, with the types of the installed package."""
    script = Path(shutil.copy(HERE / "user_script.py", folder)).name
    settings = {"include": [script], "typeCheckingMode": "standard"}
    (folder / "pyrightconfig.json").write_text(json.dumps(settings))
    checkers = (
        ["mypy", "--strict", "--python-executable", python, "--cache-dir", "cache", script],
        ["basedpyright", "--project", "pyrightconfig.json", "--pythonpath", python],
    )
    for checker in checkers:
        subprocess.run([sys.executable, "-m", *checker], cwd=folder, check=True)


if __name__ == "__main__":
    main()
