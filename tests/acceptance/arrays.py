"""Every way in which an array can come to the package."""

import importlib
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Way:
    """An array library, on its host path or on its device path, eager or compiled."""

    name: str
    device_path: bool = False
    read_only: bool = False
    jit: bool = False

    def __str__(self):
        marks = ["device"] * self.device_path + ["read-only"] * self.read_only + ["jit"] * self.jit
        return "-".join([self.name, *marks])

    @property
    def has_float64(self):
        """JAX has it only where x64 is switched on, which it is not here."""
        return self.name != "jax"

    def array(self, x):
        """An array of this library with the values and the dtype of a NumPy array."""
        x = np.asarray(x)
        if self.name == "numpy":
            x = x.copy(order="K")
            x.flags.writeable = not self.read_only
            return x
        if self.name == "torch":
            return importlib.import_module("torch").from_numpy(x.copy(order="K"))
        if self.name == "jax":
            return importlib.import_module("jax.numpy").array(x)
        return importlib.import_module("array_api_strict").asarray(x.copy())

    def call(self, function, *arrays, **options):
        """The function of NumPy arrays, made arrays of this library; the result as NumPy's."""
        arrays = [self.array(x) for x in arrays]
        if not self.jit:
            return self.numpy(function(*arrays, **options))
        jax = importlib.import_module("jax")
        return self.numpy(jax.jit(lambda *inner: function(*inner, **options))(*arrays))

    def numpy(self, x):
        """Back to NumPy; what is not of this library fails."""
        kind = {"strict": "array_api_strict", "jax": "jaxlib"}.get(self.name, self.name)
        assert type(x).__module__.partition(".")[0] == kind
        return as_numpy(x)


def as_numpy(x):
    """An array of any library as NumPy's."""
    if type(x).__module__.startswith("torch"):
        return x.detach().cpu().numpy()
    return np.asarray(x)


WAYS = [
    Way("numpy"),
    Way("numpy", read_only=True),
    Way("strict"),
    Way("torch"),
    Way("torch", device_path=True),
    Way("jax"),
    Way("jax", device_path=True),
    Way("jax", jit=True),
]
EAGER = [way for way in WAYS if not way.jit]
# For what is the same code on every path.
FEW = [way for way in WAYS if str(way) in ("numpy", "strict", "torch", "torch-device", "jax")]
