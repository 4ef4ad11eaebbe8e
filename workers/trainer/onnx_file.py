"""A trained model as an ONNX file, compared with torch before it is written."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime
import torch
from onnxruntime.transformers.float16 import convert_float_to_float16
from torch import nn

from srqueue.errors import SrqueueError, UsageError
from srqueue.spec.networks import network_name
from workers.trainer.model_file import Model, describe
from workers.trainer.onnx_windows import exportable, translations

OPSETS = range(18, 24)
"""What the exporter can write."""

TOLERANCE, HALF_TOLERANCE = 1e-4, 1 / 255
"""Largest difference to torch that is let pass, in float32 and in float16; pictures are 0..1."""

_TRACED = (2, 3, 37, 41)
_TRIED = ((2, 3, 23, 40), (1, 3, 58, 45))
"""N, C, H, W on both sides of a window of 32, and none of them as it was traced."""

Size = tuple[int, int]
"""Height and width, pixels."""


class ExportError(SrqueueError):
    """The network has no form in ONNX, or one that computes something else."""


@dataclass(frozen=True)
class Exported:
    """An ONNX file's content, and its largest absolute difference to torch at each size that was tried."""

    data: bytes
    differences: dict[Size, float]


def to_onnx(model: Model, opset: int = OPSETS[0], half: bool = False, size: Size | None = None) -> Exported:
    """The model as ONNX: float32 `lr` [N, 3, H, W] in 0..1 -> `sr` [N, 3, scale * H, scale * W], not clamped.

    `half`: weights and arithmetic in float16, input and output still in float32. `size`: what H and W are
    bound to, with N = 1; else all three are free. Raises ExportError where the network has no such form, or
    where onnxruntime computes something else than torch; UsageError for an opset that is not in OPSETS.
    """
    if opset not in OPSETS:
        raise UsageError(f"opset {opset} is not one of {OPSETS[0]} to {OPSETS[-1]}", where="--opset")
    with _quiet(), torch.no_grad():
        graph = _traced(model, opset, size)
        if half:
            graph = _halved(graph)
    _tidy(graph)
    onnx.helper.set_model_props(graph, describe(model.network, model.scale, model.spec_id, model.metrics))
    onnx.checker.check_model(graph, full_check=True)
    data: bytes = graph.SerializeToString()
    shapes = [(1, 3, *size)] if size else _TRIED
    differences = {shape[2:]: _difference(model.net, data, shape) for shape in shapes}
    worst, allowed = max(differences.values()), HALF_TOLERANCE if half else TOLERANCE
    if not worst <= allowed:  # NaN too
        raise ExportError(
            f"onnxruntime and torch differ by {worst:.2g}, more than {allowed:.2g}: nothing is written",
            hint="export without --fp16" if half else "please report this network",
        )
    return Exported(data, differences)


def _traced(model: Model, opset: int, size: Size | None) -> onnx.ModelProto:
    shape = (1, 3, *size) if size else _TRACED
    x = torch.from_numpy(_noise(shape))
    try:
        program = torch.onnx.export(
            exportable(model.net),
            (x,),
            dynamo=True,
            custom_translation_table=translations(),
            verbose=False,
            opset_version=opset,
            input_names=["lr"],
            output_names=["sr"],
            dynamic_shapes=None if size else (dict.fromkeys((0, 2, 3), torch.export.Dim.DYNAMIC),),
        )
    except torch.onnx.OnnxExporterError as error:
        raise ExportError(
            f"{network_name(model.network)} cannot be expressed in ONNX{'' if size else ' for any size'}: "
            f"{_first_cause(error)}",
            hint=None if size else "--size HEIGHTxWIDTH makes a file for one size of input",
        ) from None
    assert program is not None
    graph: onnx.ModelProto = program.model_proto
    return graph


def _halved(model: onnx.ModelProto) -> onnx.ModelProto:
    """Float16 within; input and output stay float32."""
    halved = convert_float_to_float16(model, keep_io_types=True)
    del halved.graph.value_info[:]  # the types that were
    typed = ir.from_proto(halved)
    typed.graph.sort()  # the casts that were put in stand last, and ONNX wants them before their use
    sorted_: onnx.ModelProto = ir.to_proto(typed)
    return sorted_


def _first_cause(error: BaseException) -> str:
    while error.__cause__ is not None:
        error = error.__cause__
    return f"{type(error).__name__}: {str(error).strip().splitlines()[0] if str(error).strip() else ''}"


def _tidy(model: onnx.ModelProto) -> None:
    """Leaves out where the graph came from, and what other runtimes could stumble over."""
    for graph in [model.graph, *model.functions]:
        for node in _nodes(graph):
            del node.metadata_props[:]  # source lines and paths of the machine that exported
            node.doc_string = ""
            for attribute in node.attribute:
                if node.op_type == "Resize" and attribute.name == "antialias":
                    attribute.i = 0  # does nothing where pictures grow, and not every runtime has it
    for value in [*model.graph.input, *model.graph.output, *model.graph.value_info]:
        del value.metadata_props[:]


def _nodes(graph: onnx.GraphProto | onnx.FunctionProto) -> Iterator[onnx.NodeProto]:
    """All nodes, also of the branches and loops within."""
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield from _nodes(attribute.g)


def _difference(net: nn.Module, data: bytes, shape: tuple[int, int, int, int]) -> float:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    x = _noise(shape)
    (found,) = session.run(None, {"lr": x})
    with torch.inference_mode():
        expected = net(torch.from_numpy(x)).numpy()
    return float(np.abs(found - expected).max()) if found.shape == expected.shape else float("inf")


def _noise(shape: tuple[int, ...]) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """The same in every run; nothing makes a network work harder."""
    return np.random.Generator(np.random.Philox(key=0)).random(shape, dtype=np.float32)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keeps away what the exporter says of its own insides."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
