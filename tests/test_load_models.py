"""Models by name, weights without code, and pickles only on request."""

import os
import sys
import textwrap

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal
from safetensors.torch import save_file
from torch import nn

from gsnn_edges.cli.models import load_criterion, load_model, load_pickled, model_arguments

CODE = """
from torch import nn
from toy_helper import width

def factory(outputs=2):
    return nn.Linear(width, outputs)

class Toy(nn.Linear):
    def __init__(self):
        super().__init__(width, 2)

def nothing():
    return {"a": 1}

size = 3
"""
OUTER = """
from torch import nn

def factory():
    return nn.ModuleDict({"model": nn.Linear(3, 2)})
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with a module of factories, which is the current one."""
    (tmp_path / "toy.py").write_text(textwrap.dedent(CODE))
    (tmp_path / "toy_helper.py").write_text("width = 3\n")
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    for name in ("toy", "toy_helper", "outer"):
        sys.modules.pop(name, None)


def state(outputs=2):
    return {
        name: torch.randn(value.shape) for name, value in nn.Linear(3, outputs).state_dict().items()
    }


def wrapped(key):
    return lambda weights, path: torch.save({key: weights, "epoch": 3}, path)


@pytest.mark.parametrize("name", ["toy:factory", "toy:Toy"])
@pytest.mark.parametrize(
    ("file", "write"),
    [
        ("w.safetensors", save_file),
        *((f"w.{end}", torch.save) for end in ("pt", "pth", "bin", "ckpt")),
        *(("w.pt", wrapped(key)) for key in ("state_dict", "model_state_dict", "model")),
    ],
)
def test_weights_are_those_of_the_file(name, file, write, folder):
    wanted = state()
    write(wanted, folder / file)
    before = list(sys.path)
    model = load_model(name, folder / file)
    assert sys.path == before
    assert_array_equal(model.weight.detach().numpy(), wanted["weight"].numpy())
    assert_array_equal(model.bias.detach().numpy(), wanted["bias"].numpy())


PREFIXES = ["module.", "_orig_mod.", "model.", "model._orig_mod.", "module.model."]


@pytest.mark.parametrize("prefix", PREFIXES)
def test_what_wrappers_put_before_all_names_is_left_out_and_said(prefix, folder):
    wanted = state()
    names = {prefix + name: value for name, value in wanted.items()}
    torch.save({"state_dict": names, "hyper_parameters": {"lr": 0.1}}, folder / "w.ckpt")
    with pytest.warns(UserWarning, match=f"all names in weights .*w.ckpt' begin with '{prefix}'"):
        model = load_model("toy:factory", folder / "w.ckpt")
    assert_array_equal(model.weight.detach().numpy(), wanted["weight"].numpy())
    # The model's own names may begin so.
    (folder / "outer.py").write_text(OUTER)
    torch.save({f"model.{name}": value for name, value in wanted.items()}, folder / "w.pt")
    model = load_model("outer:factory", folder / "w.pt").model
    assert_array_equal(model.bias.detach().numpy(), wanted["bias"].numpy())


def test_factory_takes_arguments(folder):
    assert load_model("toy:factory", model_args={"outputs": 5}).out_features == 5


@pytest.mark.parametrize(
    ("name", "kind", "phrase"),
    [
        ("toy", ValueError, "must be 'package.module:name', as in an import, .* got 'toy'"),
        ("toy:", ValueError, "must be 'package.module:name'"),
        ("./toy.py:factory", ValueError, "and no path; got './toy.py:factory'"),
        (3, ValueError, "model must be 'package.module:name', .* got 3"),
        ("nowhere.toy:factory", ValueError, "there is no 'nowhere' for 'nowhere.toy:factory'"),
        ("toy:factry", ValueError, "'toy' has no 'factry': did you mean 'factory'"),
        ("toy:size", TypeError, "must name a function or a class; 'toy:size' is 3"),
        ("toy:nothing", TypeError, "must give a torch.nn.Module; 'toy:nothing' gave dict"),
    ],
)
def test_names_that_are_no_model_are_explained(name, kind, phrase, folder):
    with pytest.raises(kind, match=phrase):
        load_model(name)


def test_a_library_that_a_users_module_lacks_is_its_own_error(folder):
    (folder / "toy_helper.py").write_text("import a_library_that_is_missing\n")
    with pytest.raises(ModuleNotFoundError, match="a_library_that_is_missing"):
        load_model("toy:factory")


class Evil:
    """Leaves a mark when it is unpickled."""

    def __reduce__(self):
        return os.mkdir, ("mark",)


OBJECTS = "holds other objects, as a pickled module does"
# What a file holds, its bytes or what torch saves, and how it is refused.
WRONG_WEIGHTS = [
    ("w.pt", {}, "missing: weight, bias"),
    ("w.pt", state() | {"extra": torch.ones(1)}, "unexpected: extra"),
    ("w.pt", state(4), r"of another shape: weight \(4, 3\) for \(2, 3\), bias \(4,\) for \(2,\)"),
    ("w.pt", {"epoch": 3}, "must be a state dict"),
    ("w.pt", Evil(), OBJECTS),
    ("w.pt", nn.Linear(3, 2), OBJECTS),
    ("w.pt", {"weight": Evil()}, OBJECTS),
    ("w.pt", b"weights", "or broken"),
    ("w.pt", b"PK\x03\x04" + bytes(30), "or broken"),
    ("w.safetensors", b"weights", "must be a .safetensors file"),
    ("w.npy", b"1", "must end in .safetensors, .pt"),
]


@pytest.mark.parametrize(("file", "held", "phrase"), WRONG_WEIGHTS)
def test_weights_that_are_none_of_the_model_are_explained_and_run_no_code(
    file, held, phrase, folder
):
    if isinstance(held, bytes):
        (folder / file).write_bytes(held)
    else:
        torch.save(held, folder / file)
    with pytest.raises(ValueError, match=phrase):
        load_model("toy:factory", folder / file)
    assert not (folder / "mark").exists()


@pytest.mark.parametrize(
    "load", [lambda p: load_model("toy:factory", p), lambda p: load_pickled(p, trust_pickle=True)]
)
def test_a_wrong_path_is_named(load, folder):
    with pytest.raises(FileNotFoundError, match=r"nowhere\.pt"):
        load("nowhere.pt")
    (folder / "folder.pt").mkdir()
    with pytest.raises(IsADirectoryError, match=r"folder\.pt.* is a folder"):
        load("folder.pt")


def test_a_pickle_is_loaded_where_it_is_trusted_and_a_warning_says_what_that_means(folder):
    saved = load_model("toy:Toy")
    torch.save(saved, folder / "whole.pt")
    with pytest.raises(ValueError, match="trust_pickle must be True to unpickle"):
        load_pickled(folder / "whole.pt")
    with pytest.warns(UserWarning, match="runs whatever code the file names"):
        model = load_pickled(folder / "whole.pt", trust_pickle=True)
    assert_array_equal(model.weight.detach().numpy(), saved.weight.detach().numpy())


@pytest.mark.parametrize(
    ("held", "kind", "phrase"),
    [
        (None, ValueError, "or broken"),
        ({"a": 1}, TypeError, "must hold a torch.nn.Module; .* dict"),
    ],
)
def test_a_pickle_of_something_else_is_refused(held, kind, phrase, folder):
    torch.save(held, folder / "whole.pt")
    if held is None:
        (folder / "whole.pt").write_bytes(b"no pickle")
    with pytest.warns(UserWarning, match="is unpickled"), pytest.raises(kind, match=phrase):
        load_pickled(folder / "whole.pt", trust_pickle=True)


def test_criterion_is_made_of_a_class_and_a_function_is_taken(folder):
    x, y = torch.randn(5), torch.randn(5)
    wanted = float(np.mean((x - y).numpy() ** 2))
    for name in ("torch.nn:MSELoss", "torch.nn.functional:mse_loss"):
        np.testing.assert_allclose(float(load_criterion(name)(x, y)), wanted, rtol=1e-6)
    with pytest.raises(ValueError, match="did you mean 'MSELoss'"):
        load_criterion("torch.nn:MSELos")


def test_arguments_are_a_json_object():
    assert model_arguments('{"layers": 4, "norm": null}') == {"layers": 4, "norm": None}
    assert model_arguments(None) == {}
    for text in ("[1]", "{layers: 4}"):
        with pytest.raises(ValueError, match="must be a JSON object"):
            model_arguments(text)
