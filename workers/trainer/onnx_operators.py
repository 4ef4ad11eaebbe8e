"""The parts of window attention in ONNX, for `onnx_windows`.

Below `script` stands ONNX written as Python, which never runs as Python: each operator is one of ONNX, and
the annotations say float or whole numbers of any shape.
"""

# mypy: ignore-errors
# What mypy would check is not what runs.

from __future__ import annotations

import math
from typing import Any

from onnxscript import FLOAT, INT64, graph, script
from onnxscript import opset18 as op

from workers.trainer.archs.scalar_attention import LARGEST, ORDER
from workers.trainer.archs.window_attention import OVERLAP, WINDOW

STEP = WINDOW - OVERLAP

_POWERS = [float(n) for n in range(ORDER + 1)]
_INVERSE_FACTORIALS = [1 / math.factorial(n) for n in range(ORDER + 1)]
_LAST = 2**62


def in_onnx(packed: Any, reduced: int) -> Any:
    """What `onnx_windows.window_attention` is made of; called by the exporter, with values of its own."""
    rows, columns = (places(op.Shape(packed, start=axis, end=axis + 1)) for axis in (2, 3))
    q = rooted(in_windows(op.Slice(packed, [0], [reduced], [1]), rows, columns))
    k = in_windows(op.Slice(packed, [reduced], [2 * reduced], [1]), rows, columns)
    v = in_windows(op.Slice(packed, [2 * reduced], [_LAST], [1]), rows, columns)
    attended = attend_by_scalars(q, k, v) if reduced == 1 else attend(q, k, v)
    maps = side_by_side(attended, rows, columns, op.Shape(packed))
    for pixels, axis in ((columns, 3), (rows, 2)):  # each turn puts the other axis last
        size = op.Shape(pixels, start=1, end=2)
        covered = covering(pixels, op.Shape(packed, start=axis, end=axis + 1))
        maps = joined(maps, covered, fades(covered, size), size)
    return maps


@script(default_opset=op)
def places(side: INT64[...]) -> INT64[...]:
    """The pixels of all windows along a side [1]: [windows, size]."""
    size = op.Min(side, op.Constant(value_ints=[WINDOW]))
    beyond = op.Max(side - WINDOW, op.Constant(value_ints=[0]))
    count = op.Squeeze((beyond + STEP - 1) / STEP + 1)
    starts = op.Min(op.Range(0, count, 1) * STEP, side - size)
    return op.Unsqueeze(starts, [1]) + op.Range(0, op.Squeeze(size), 1)


@script(default_opset=op)
def in_windows(x: FLOAT[...], rows: INT64[...], columns: INT64[...]) -> FLOAT[...]:
    """[N, C, H, W] -> [N * windows, C, tokens]."""
    grid = op.Gather(op.Gather(x, rows, axis=2), columns, axis=4)
    channels = op.Shape(x, start=1, end=2)
    tokens = op.Shape(rows, start=1, end=2) * op.Shape(columns, start=1, end=2)
    shape = op.Concat(op.Constant(value_ints=[-1]), channels, tokens, axis=0)
    return op.Reshape(op.Transpose(grid, perm=[0, 2, 4, 1, 3, 5]), shape)


@script(default_opset=op)
def rooted(q: FLOAT[...]) -> FLOAT[...]:
    """The logits are divided by the root of the number of tokens."""
    return q / op.Sqrt(op.CastLike(op.Shape(q, start=2, end=3), q))


@script(default_opset=op)
def attend(q: FLOAT[...], k: FLOAT[...], v: FLOAT[...]) -> FLOAT[...]:
    """`token_attention.attend`, window by window: a matrix of pairs has a million numbers."""

    @graph()
    def one(query: FLOAT[...], key: FLOAT[...], value: FLOAT[...]) -> FLOAT[...]:
        pairs = op.Softmax(op.MatMul(op.Transpose(query, perm=[1, 0]), key), axis=-1)
        return op.MatMul(value, op.Transpose(pairs, perm=[1, 0]))

    return op.Scan(q, k, v, body=one, num_scan_inputs=3)


@script(default_opset=op)
def attend_by_scalars(q: FLOAT[...], k: FLOAT[...], v: FLOAT[...]) -> FLOAT[...]:
    """`scalar_attention.scalar_attention`: the series where it is exact, else token by token."""

    @graph()
    def one(query: FLOAT[...], key: FLOAT[...], value: FLOAT[...]) -> FLOAT[...]:
        pairs = op.Softmax(op.MatMul(op.Transpose(query, perm=[1, 0]), key), axis=-1)
        return op.MatMul(value, op.Transpose(pairs, perm=[1, 0]))

    centred = k - op.ReduceMean(k, [2])
    largest = op.ReduceMax(op.ReduceMax(op.Abs(q), [2]) * op.ReduceMax(op.Abs(centred), [2]), keepdims=0)
    if largest < LARGEST:
        ones = op.CastLike(op.ConstantOfShape(op.Shape(k)), k) + 1.0
        powers = op.Unsqueeze(op.Constant(value_floats=_POWERS), [1])
        factors = op.Unsqueeze(op.Constant(value_floats=_INVERSE_FACTORIALS), [1])
        of_keys = op.Transpose(op.Pow(centred, powers), perm=[0, 2, 1])
        moments = op.MatMul(op.Concat(v, ones, axis=1), of_keys)
        sums = op.MatMul(moments, op.Pow(q, powers) * factors)
        last = op.Constant(value_ints=[-1])
        attended = op.Slice(sums, [0], last, [1]) / op.Slice(sums, last, op.Constant(value_ints=[_LAST]), [1])
    else:
        attended = op.Scan(q, centred, v, body=one, num_scan_inputs=3)
    return attended


@script(default_opset=op)
def covering(pixels: INT64[...], side: INT64[...]) -> INT64[...]:
    """The windows that a pixel may lie in, and its place there: [2, 3, side].

    Never more than three: its own by division, the one before, and the last, which is anchored at the edge.
    A sum of all windows at their places (ScatterND) would be simpler; it is not deterministic on GPUs, and
    runtimes lack it in float16.
    """
    last = op.Shape(pixels, start=0, end=1) - 1
    at = op.Range(0, op.Squeeze(side), 1)
    here = op.Min(at / STEP, last)
    windows = op.Concat(
        op.Unsqueeze(here, [0]),
        op.Unsqueeze(op.Max(here - 1, op.Constant(value_ints=[0])), [0]),
        op.Unsqueeze(op.Expand(last, op.Shape(at)), [0]),
        axis=0,
    )
    starts = op.Squeeze(op.Slice(pixels, [0], [1], [1]), [1])
    return op.Concat(op.Unsqueeze(windows, [0]), op.Unsqueeze(at - op.Gather(starts, windows), [0]), axis=0)


@script(default_opset=op)
def fades(covered: INT64[...], size: INT64[...]) -> FLOAT[...]:
    """What each of the covering windows weighs at a pixel, as in `windows.join`: [3, side]."""
    windows = op.Squeeze(op.Slice(covered, [0], [1], [0]), [0])
    place = op.Squeeze(op.Slice(covered, [1], [2], [0]), [0])
    here, before, last = op.Split(windows, num_outputs=3, axis=0)
    again = op.And(op.Not(op.Equal(last, here)), op.Not(op.Equal(last, before)))
    counted = op.Concat(op.Equal(here, here), op.Not(op.Equal(before, here)), again, axis=0)
    ramp = op.Min(place + 1, size - place, op.Constant(value_ints=[OVERLAP + 1]))
    weights = op.Cast(op.Max(ramp, op.Constant(value_ints=[0])) * op.Cast(counted, to=7), to=1)
    return weights / op.ReduceSum(weights, [0], keepdims=1)


@script(default_opset=op)
def joined(lines: FLOAT[...], covered: INT64[...], weights: FLOAT[...], size: INT64[...]) -> FLOAT[...]:
    """Windows side by side along axis 3, [N, C, A, windows * size] -> [N, C, side, A], faded and added."""
    windows = op.Squeeze(op.Slice(covered, [0], [1], [0]), [0])
    inside = op.Max(
        op.Min(op.Squeeze(op.Slice(covered, [1], [2], [0]), [0]), size - 1), op.Constant(value_ints=[0])
    )
    shares = op.Gather(lines, windows * size + inside, axis=3) * weights
    return op.Transpose(op.ReduceSum(shares, [3], keepdims=0), perm=[0, 1, 3, 2])


@script(default_opset=op)
def side_by_side(
    attended: FLOAT[...], rows: INT64[...], columns: INT64[...], shape: INT64[...]
) -> FLOAT[...]:
    """[N * windows, C, tokens] -> [N, C, windows down * height, windows across * width]."""
    pictures, channels = op.Slice(shape, [0], [1]), op.Shape(attended, start=1, end=2)
    down, high = op.Shape(rows, start=0, end=1), op.Shape(rows, start=1, end=2)
    across, wide = op.Shape(columns, start=0, end=1), op.Shape(columns, start=1, end=2)
    maps = op.Reshape(attended, op.Concat(pictures, down, across, channels, high, wide, axis=0))
    whole = op.Concat(pictures, channels, down * high, across * wide, axis=0)
    return op.Reshape(op.Transpose(maps, perm=[0, 3, 1, 4, 2, 5]), whole)
