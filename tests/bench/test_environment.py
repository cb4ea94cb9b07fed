import subprocess

import gsnn_edges
from gsnn_edges.bench import environment as module
from gsnn_edges.bench.environment import commit, environment, installed_version, processor


def test_everything_is_named():
    described = environment("cpu")
    assert set(described) >= {"date", "processor", "threads", "python", "numpy", "torch", "jax"}
    assert [name for name, value in described.items() if not value] == []


def test_processor_is_the_model_of_the_first(monkeypatch, tmp_path):
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text("processor\t: 0\nmodel name\t: Thing 9000: fast\nmodel name\t: other\n")
    monkeypatch.setattr(module, "_PROCESSORS", cpuinfo)
    assert processor() == "Thing 9000: fast"


def test_processor_without_a_list_is_what_platform_says(monkeypatch, tmp_path):
    monkeypatch.setattr(module, "_PROCESSORS", tmp_path / "absent")
    monkeypatch.setattr(module.platform, "processor", lambda: "")
    monkeypatch.setattr(module.platform, "machine", lambda: "m68k")
    assert processor() == "m68k"


def test_missing_library_is_said_to_be_missing():
    assert installed_version("no-such-library") == "not installed"


def test_a_card_is_named_by_another_process(monkeypatch):
    asked = []

    def run(command, **options):
        asked.append(command)
        return subprocess.CompletedProcess(command, 0, "Card 9000\n", "")

    monkeypatch.setattr(module.subprocess, "run", run)
    assert module.accelerator("cuda") == "Card 9000"
    assert "get_device_name('cuda')" in asked[0][-1]


def test_a_card_that_does_not_answer_is_unknown():
    assert module.accelerator("nowhere") == "unknown"


def checkout(tmp_path, monkeypatch):
    package = tmp_path / "src" / "gsnn_edges"
    package.mkdir(parents=True)
    monkeypatch.setattr(module, "_PACKAGE", package)
    return tmp_path


def git(root, *arguments):
    who = ("-c", "user.name=test", "-c", "user.email=test@example.org")
    command = ["git", "-C", root, *who, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def test_commit_of_a_checkout(monkeypatch, tmp_path):
    root = checkout(tmp_path, monkeypatch)
    git(root, "init")
    (root / "file").write_text("one")
    git(root, "add", "file")
    git(root, "commit", "--message", "first")
    git(root, "tag", "v1")
    name = git(root, "rev-parse", "--short", "HEAD")
    assert commit() == name
    (root / "file").write_text("two")
    assert commit() == f"{name}-dirty"


def test_no_commit_without_a_checkout(monkeypatch, tmp_path):
    checkout(tmp_path, monkeypatch)
    assert commit() is None
    assert environment("cpu")["gsnn-edges"] == gsnn_edges.__version__


def test_no_commit_from_a_broken_checkout(monkeypatch, tmp_path):
    (checkout(tmp_path, monkeypatch) / ".git").mkdir()
    assert commit() is None
