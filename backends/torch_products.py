"""Matrix products of torch: which library makes them, and how precisely."""

import re
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import lru_cache
from pathlib import Path

import torch
from torch import Tensor

from gsnn_edges.backends.splits import Split, shortened

# The bits of a float32 mantissa that TF32 lacks, and half of what they can hold.
TF32_REST, TF32_HALF = 0x1FFF, 0x1000


def short_tensor(x: Tensor, split: Split) -> Tensor:
    """Round float32 to short mantissas: by torch's bfloat16, or by the bits of TF32."""
    if split.kind == "bf16":
        return x.bfloat16()
    if split.kind == "tf32":
        return ((x.view(torch.int32) + TF32_HALF) & ~TF32_REST).view(torch.float32)
    rounded: Tensor = shortened(x, split)
    return rounded


def tensor_core_product(total: Tensor | None, a: Tensor, b: Tensor, split: Split) -> Tensor:
    """Give ``total + a @ b.T`` in float32, of operands that `short_tensor` gave, on CUDA."""
    if split.kind == "bf16":
        # bfloat16 operands, but sums and result in float32. `addmm` would spare the sum, but not
        # every torch that is supported gives it both `out` and `out_dtype`.
        product = torch.mm(a, b.T, out_dtype=torch.float32)
        return product if total is None else total.add_(product)
    with products_in(a.device.type, "tf32"):
        return a @ b.T if total is None else total.addmm_(a, b.T)


def has_onednn() -> bool:
    """Whether this build has oneDNN's product for float32, a private operator."""
    there: bool = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    return there and hasattr(torch.ops.mkldnn, "_linear_pointwise")


@lru_cache(maxsize=1)
def mkl_is_held_back() -> bool:
    """Whether torch's default product, MKL's, is half as fast as the processor allows.

    MKL keeps to AVX2 on AMD. From Zen 5 on (family 26) that halves it, and oneDNN does not.
    """
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return False
    family = re.search(r"^cpu family\s*: (\d+)$", text, re.MULTILINE)
    return "AuthenticAMD" in text and family is not None and int(family[1]) >= 26


def full_precision(device_type: str) -> AbstractContextManager[None]:
    """Products in true float32, whatever the user has set; the setting comes back."""
    return products_in(device_type, "ieee")


@contextmanager
def products_in(device_type: str, precision: str) -> Iterator[None]:
    """Make products of float32 in a precision; the user's setting comes back."""
    library = "cuda" if device_type == "cuda" else "mkldnn"
    before = own_setting(library)
    set_precision(library, "matmul", precision)
    try:
        yield
    finally:
        set_precision(library, "matmul", before)


def own_setting(library: str) -> str:
    """Give what was set for a library's products by name; "none" where a wider setting is followed.

    torch tells the setting that is at work, whoever made it, and to set that by name would tie
    products to it for ever. So the wider ones are changed for a moment: that of all libraries, then
    that of this one.
    """
    value = precision_of(library, "matmul")
    if value == "none":
        return value
    other = "tf32" if value == "ieee" else "ieee"
    with setting("generic", other):
        library_follows = precision_of(library, "all") == other
        if precision_of(library, "matmul") == other:
            return "none"
    if library_follows:
        return value
    with setting(library, other):
        return "none" if precision_of(library, "matmul") == other else value


@contextmanager
def setting(library: str, precision: str) -> Iterator[None]:
    """Change what all operations of a library follow; it is one that was set by name."""
    before = precision_of(library, "all")
    set_precision(library, "all", precision)
    try:
        yield
    finally:
        set_precision(library, "all", before)


def precision_of(library: str, operations: str) -> str:
    """Give the precision at work; that of all operations of a library has no public name."""
    found: str = torch._C._get_fp32_precision_getter(library, operations)
    return found


def set_precision(library: str, operations: str, precision: str) -> None:
    """Set a precision by name, or let it follow a wider one by "none"."""
    torch._C._set_fp32_precision_setter(library, operations, precision)
