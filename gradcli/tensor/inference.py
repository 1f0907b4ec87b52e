"""Inference tensors: those made in a block of `inference_mode`, which autograd cannot save.

Constraints: a node's serial number says whether it was made in such a block; a tensor with memory
of its own is what its memory is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from gradcli.errors import GradcliError
from gradcli.graph.node import Node
from gradcli.tensor.blocks import inference

if TYPE_CHECKING:
    from gradcli.tensor.tensor import Tensor


SAVED = (
    "Inference tensors cannot be saved for backward. Please do not use Tensors created in inference"
    " mode in computation tracked by autograd. To work around this, you can make a clone to get a "
    "normal tensor and use it in autograd, or use `torch.no_grad()` instead of "
    "`torch.inference_mode()`."
)
WRITTEN = (
    "Inplace update to inference tensor outside InferenceMode is not allowed.You can make a clone "
    "to get a normal tensor before doing inplace update.See "
    "https://github.com/pytorch/rfcs/pull/17 for more details."
)
CLONE = "x.clone() is a normal tensor"


def is_inference(tensor: Tensor) -> bool:
    """Whether a tensor was made in a block of `inference_mode`."""
    if not inference.blocks:
        return False
    storage = tensor._storage
    return inference.covers(tensor._node) if storage is None else storage.inference


def refuse_write(target: Tensor) -> None:
    """Raises G033 for a write to an inference tensor outside of the blocks."""
    if inference.blocks and not inference.enabled and is_inference(target):
        raise GradcliError("G033", WRITTEN, help=CLONE)


def refuse_requiring(tensor: Tensor) -> None:
    """Raises G033 where an inference tensor shall require a gradient outside of the blocks."""
    if not inference.enabled and is_inference(tensor):
        raise GradcliError(
            "G033",
            "Setting requires_grad=True on inference tensor outside InferenceMode is not allowed.",
            help=CLONE,
        )


def refuse_version(tensor: Tensor) -> None:
    """Raises G033 where the writes to an inference tensor are asked for: nobody counts them."""
    if is_inference(tensor):
        raise GradcliError("G033", "Inference tensors do not track version counter.")


def refuse_saved(kept: Sequence[Node], tensors: Sequence[Tensor], nodes: Sequence[Node]) -> None:
    """Raises G033 where one of the `kept` nodes is an inference tensor's."""
    for tensor, node in zip(tensors, nodes, strict=True):
        if any(node is x for x in kept) and is_inference(tensor):
            raise GradcliError("G033", SAVED, help=CLONE)
