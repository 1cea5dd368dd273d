"""What an engine says of its tensors."""

from __future__ import annotations

from dataclasses import dataclass

from tenon import _core
from tenon.dtypes import DType


@dataclass(frozen=True)
class TensorInfo:
    """An input, an output or a weight of an engine."""

    name: str
    dtype: DType  # none: no tensor, see type
    shape: tuple[int | str, ...] | None  # numbers, and texts for sizes known only at run time; None: the rank is unknown
    type: str  # "f32[batch, 3]", "seq(f32[...])"

    @property
    def is_tensor(self) -> bool:
        """Whether it is a tensor, and no sequence, optional or map."""
        return self.dtype is not DType.none


def info_of(raw: _core.TensorInfo) -> TensorInfo:
    """The same of the extension."""
    shape = tuple(text if dim < 0 else dim for dim, text in zip(raw.dims, raw.dim_texts, strict=True))
    return TensorInfo(raw.name, DType(raw.dtype), shape if raw.has_rank else None, raw.type)
