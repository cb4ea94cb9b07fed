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

ROOT = Path(__file__).parents[2]
TRIAL = Path(__file__).with_name("try_installed.py")
IN_STAGES = Path(__file__).with_name("try_stages.py")
USER = Path(__file__).with_name("user_script.py")
# Extras, and the backends that they bring: without any there is NumPy alone.
ENVIRONMENTS = {"": ("numpy",), "[jax,store]": ("numpy", "jax"), "[all]": ("numpy", "torch", "jax")}
# The stages of each, over files in one folder: the second is run where torch is not.
STAGES = {"[jax,store]": ("correlate",), "[all]": ("capture", "evaluate")}
# Extras that are small; each is installed on top of the others, and must bring what it says.
SMALL = ("stats", "frames", "files", "plots")


def main() -> None:
    target = Path(sys.argv[1])
    with tempfile.TemporaryDirectory(prefix="gsnn-edges-wheel-") as name:
        scratch = Path(name)
        wheel = build(scratch)
        made = {extras: try_wheel(wheel, extras, scratch) for extras in ENVIRONMENTS}
        try_stages(made, scratch)
        for small in SMALL:
            install(made[""], f"{wheel}[{small}]")
            subprocess.run([made[""], "-I", IN_STAGES, "extra", small], cwd=scratch, check=True)
        target.mkdir(exist_ok=True)
        for file in wheel.parent.iterdir():
            shutil.copy(file, target)


def build(scratch: Path) -> Path:
    """Build the sdist and from it the wheel, which must be the wheel of the checkout."""
    # A copy, as setuptools would take up what earlier builds left in the checkout.
    checkout = scratch / "checkout"
    leave = shutil.ignore_patterns(".*", "build", "dist", "*.egg-info", "__pycache__")
    shutil.copytree(ROOT, checkout, ignore=leave)
    direct, released = scratch / "direct", scratch / "released"
    run_build("--wheel", "--outdir", direct, checkout)
    run_build("--outdir", released, checkout)
    (expected,), (wheel,) = direct.glob("*.whl"), released.glob("*.whl")
    if contents(expected) != contents(wheel):
        different = {name for name, _ in contents(expected) ^ contents(wheel)}
        sys.exit(f"the sdist builds another wheel than the checkout: {sorted(different)}")
    return wheel


def run_build(*arguments: str | Path) -> None:
    command = [sys.executable, "-m", "build", "--no-isolation", *arguments]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        sys.exit(f"{done.stdout}\nthe build failed: {command}")


def contents(wheel: Path) -> set[tuple[str, int]]:
    """Name and checksum of every file in a wheel."""
    with zipfile.ZipFile(wheel) as archive:
        return {(file.filename, file.CRC) for file in archive.infolist()}


def try_wheel(wheel: Path, extras: str, scratch: Path) -> Path:
    """Use a wheel in an environment of its own, from an empty folder; give its Python."""
    print(f"--- {wheel.name}{extras} in an environment of its own", flush=True)
    place = Path(tempfile.mkdtemp(dir=scratch))
    environment, elsewhere = place / "environment", place / "elsewhere"
    elsewhere.mkdir()
    venv.create(environment)
    python = environment / "bin" / "python"
    install(python, f"{wheel}{extras}")
    # -I: neither the folder of the script nor PYTHONPATH may lead back to the checkout.
    subprocess.run([python, "-I", TRIAL, *ENVIRONMENTS[extras]], cwd=elsewhere, check=True)
    if extras == "[all]":
        check_types(python, elsewhere)
    return python


def install(python: Path, what: str) -> None:
    """Install into an environment, of the versions that are pinned."""
    pip = [sys.executable, "-m", "pip", "--python", python, "--disable-pip-version-check"]
    pinned = ["--quiet", "--constraint", ROOT / "constraints.txt"]
    subprocess.run([*pip, "install", *pinned, what], check=True)


def try_stages(made: dict[str, Path], scratch: Path) -> None:
    """Go from a model to ranked edges over files: each stage with the Python that suits it."""
    folder = scratch / "stages"
    folder.mkdir()
    homes = {stage: made[extras] for extras, stages in STAGES.items() for stage in stages}
    for stage in ("capture", "correlate", "evaluate"):
        subprocess.run([homes[stage], "-I", IN_STAGES, stage], cwd=folder, check=True)


def check_types(python: Path, folder: Path) -> None:
    """Have type checkers read a user's script, with the types of the installed package."""
    script = Path(shutil.copy(USER, folder)).name
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
