"""Makers: layers of networks."""

from __future__ import annotations

from typing import Any

import numpy as np
from maker import Maker, op


def window(m: Maker, spatial: int, kernel_most: int = 3, dilate: bool = True) -> tuple[list[int], dict[str, Any], list[int]]:
    """A kernel, attributes that fit it, and spatial sizes that hold at least one window."""
    kernel = [m.int(1, kernel_most) for _ in range(spatial)]
    attributes = m.maybe(strides=[m.int(1, 3) for _ in range(spatial)])
    if dilate:
        attributes |= m.maybe(dilations=[m.int(1, 2) for _ in range(spatial)])
    dilations = attributes.get("dilations", [1] * spatial)
    reach = [(k - 1) * d + 1 for k, d in zip(kernel, dilations, strict=True)]
    padding = m.int(0, 2)
    if padding == 1:
        attributes["pads"] = [m.int(0, k - 1) for _ in range(2) for k in kernel]
    elif padding == 2:
        attributes["auto_pad"] = m.pick(("SAME_UPPER", "SAME_LOWER", "VALID"))
        attributes.pop("dilations", None)
        reach = kernel
        if "strides" in attributes:  # a window shorter than its stride makes the padding negative, which nobody defines
            attributes["strides"] = [min(stride, k) for stride, k in zip(attributes["strides"], kernel, strict=True)]
    return kernel, attributes, [r + m.int(0, 5) for r in reach]


@op("", "Conv")
def conv(m: Maker) -> None:
    spatial, groups = m.int(1, 3), m.pick((1, 1, 1, 2, 3))
    kernel, attributes, sizes = window(m, spatial)
    depthwise = m.chance(0.2)
    per_group, out_per_group = (1 if depthwise else m.int(1, 4)), m.int(1, 3)
    x = m.input(m.floats([m.int(1, 2), per_group * groups, *sizes]))
    inputs = [x, m.operand(m.floats([out_per_group * groups, per_group, *kernel]))]
    if m.chance(0.5):
        inputs.append(m.operand(m.floats([out_per_group * groups])))
    m.output(m.node("Conv", inputs, group=groups, **m.maybe(kernel_shape=kernel), **attributes))


@op("", "ConvTranspose")
def conv_transpose(m: Maker) -> None:
    spatial, groups = m.int(1, 2), m.pick((1, 1, 2))
    kernel = [m.int(1, 3) for _ in range(spatial)]
    attributes = m.maybe(strides=[m.int(1, 3) for _ in range(spatial)], dilations=[m.int(1, 2) for _ in range(spatial)])
    if m.chance(0.4):
        attributes["pads"] = [m.int(0, 1) if k > 1 else 0 for _ in range(2) for k in kernel]
    if m.chance(0.3):
        strides = attributes.get("strides", [1] * spatial)
        attributes["output_padding"] = [m.int(0, stride - 1) for stride in strides]
    per_group, out_per_group = m.int(1, 3), m.int(1, 3)
    inputs = [m.input(m.floats([m.int(1, 2), per_group * groups, *(m.int(2, 5) for _ in kernel)]))]
    inputs.append(m.operand(m.floats([per_group * groups, out_per_group, *kernel])))
    if m.chance(0.5):
        inputs.append(m.operand(m.floats([out_per_group * groups])))
    m.output(m.node("ConvTranspose", inputs, group=groups, **attributes))


@op("", "MaxPool")
def max_pool(m: Maker) -> None:
    kernel, attributes, sizes = window(m, m.int(1, 3))
    attributes |= m.maybe(ceil_mode=m.int(0, 1)) if "auto_pad" not in attributes else {}
    x = m.input(m.floats([m.int(1, 2), m.int(1, 3), *sizes], m.pick((np.float32, np.float64))))
    with_indices = m.chance(0.3) and "auto_pad" not in attributes
    names = m.node("MaxPool", [x], 2 if with_indices else 1, kernel_shape=kernel, **attributes)
    m.output(*(names if with_indices else [names]))


@op("", "AveragePool")
def average_pool(m: Maker) -> None:
    kernel, attributes, sizes = window(m, m.int(1, 3))
    attributes |= m.maybe(ceil_mode=m.int(0, 1)) if "auto_pad" not in attributes else {}
    x = m.input(m.floats([m.int(1, 2), m.int(1, 3), *sizes]))
    m.output(m.node("AveragePool", [x], kernel_shape=kernel, **m.maybe(count_include_pad=m.int(0, 1)), **attributes))


@op("", "LpPool")
def lp_pool(m: Maker) -> None:
    kernel, attributes, sizes = window(m, m.int(1, 2), dilate=False)
    x = m.input(m.floats([m.int(1, 2), m.int(1, 3), *sizes], low=0.1))
    m.output(m.node("LpPool", [x], kernel_shape=kernel, **m.maybe(p=m.int(1, 3)), **attributes))


def _global(name: str) -> None:
    @op("", name)
    def make(m: Maker) -> None:
        x = m.input(m.floats([m.int(1, 2), m.int(1, 3), *m.shape(1, 2, empty=0)]))
        m.output(m.node(name, [x], **(m.maybe(p=m.int(1, 3)) if "Lp" in name else {})))


for _name in ("GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool"):
    _global(_name)


@op("", "BatchNormalization")
def batch_normalization(m: Maker) -> None:
    channels = m.int(1, 4)
    inputs = [m.input(m.floats([m.int(1, 2), channels, *m.shape(0, 3, empty=0)]))]
    inputs += [m.operand(m.floats([channels])) for _ in range(3)] + [m.operand(m.floats([channels], low=0.2))]
    m.output(m.node("BatchNormalization", inputs, **m.maybe(epsilon=m.number(1e-5, 1e-2))))


@op("", "InstanceNormalization")
def instance_normalization(m: Maker) -> None:
    channels = m.int(1, 4)
    inputs = [m.input(m.floats([m.int(1, 2), channels, m.int(2, 5), *m.shape(0, 2, empty=0)]))]
    inputs += [m.operand(m.floats([channels])) for _ in range(2)]
    m.output(m.node("InstanceNormalization", inputs, **m.maybe(epsilon=m.number(1e-4, 1e-2))))


@op("", "GroupNormalization")
def group_normalization(m: Maker) -> None:
    groups = m.int(1, 3)
    channels = groups * m.int(1, 3)
    inputs = [m.input(m.floats([m.int(1, 2), channels, m.int(2, 5), *m.shape(0, 2, empty=0)]))]
    inputs += [m.operand(m.floats([channels])) for _ in range(2)]
    m.output(m.node("GroupNormalization", inputs, num_groups=groups, epsilon=m.number(1e-4, 1e-2)))


@op("", "LayerNormalization")
def layer_normalization(m: Maker) -> None:
    x = m.floats([*m.shape(0, 3, empty=0), m.int(2, 8)])
    axis = m.axis(x.ndim)
    inputs = [m.input(x), m.operand(m.floats(x.shape[axis:]))]
    if m.chance(0.6):
        inputs.append(m.operand(m.floats(x.shape[axis:])))
    m.output(m.node("LayerNormalization", inputs, axis=axis, epsilon=m.number(1e-4, 1e-2)))


@op("", "LpNormalization")
def lp_normalization(m: Maker) -> None:
    x = m.floats(m.shape(1, 3, empty=0), low=0.2)
    m.output(m.node("LpNormalization", [m.input(x)], **m.maybe(axis=m.axis(x.ndim), p=m.int(1, 2))))


@op("", "LRN")
def lrn(m: Maker) -> None:
    x = m.input(m.floats([m.int(1, 2), m.int(1, 6), m.int(1, 4), m.int(1, 4)]))
    m.output(m.node("LRN", [x], size=m.pick((1, 3, 5)), **m.maybe(alpha=m.number(0, 1), beta=m.number(0.1, 1), bias=m.number(0.5, 2))))


@op("", "MeanVarianceNormalization")
def mean_variance_normalization(m: Maker) -> None:
    x = m.input(m.floats([m.int(1, 2), m.int(1, 3), m.int(2, 4), m.int(2, 4)]))
    m.output(m.node("MeanVarianceNormalization", [x], **m.maybe(axes=m.pick(([0, 2, 3], [2, 3])))))


def _recurrent(name: str, gates: int) -> None:
    @op("", name)
    def make(m: Maker) -> None:
        steps, batch, size, hidden = m.int(1, 4), m.int(1, 3), m.int(1, 4), m.int(1, 5)
        direction = m.pick(("forward", "reverse", "bidirectional"))
        d = 2 if direction == "bidirectional" else 1
        inputs = [m.input(m.floats([steps, batch, size])), m.operand(m.floats([d, gates * hidden, size], low=-1, high=1))]
        inputs.append(m.operand(m.floats([d, gates * hidden, hidden], low=-1, high=1)))
        inputs.append(m.operand(m.floats([d, 2 * gates * hidden])) if m.chance(0.6) else "")
        inputs.append(m.operand(m.ints([batch], np.int32, 1, steps)) if m.chance(0.4) else "")
        inputs.append(m.operand(m.floats([d, batch, hidden])) if m.chance(0.5) else "")
        if name == "LSTM":
            inputs.append(m.operand(m.floats([d, batch, hidden])) if m.chance(0.5) else "")
            if m.chance(0.3):
                inputs.append(m.operand(m.floats([d, 3 * hidden])))
        attributes = m.maybe(clip=m.number(0.5, 3))
        if name == "GRU":
            attributes |= m.maybe(linear_before_reset=m.int(0, 1))
        if name == "LSTM" and "clip" not in attributes:
            attributes |= m.maybe(input_forget=m.int(0, 1))
        if m.chance(0.3):
            per = {"LSTM": 3, "GRU": 2, "RNN": 1}[name]
            attributes["activations"] = [m.pick(("Sigmoid", "Tanh", "Relu", "HardSigmoid", "Softsign")) for _ in range(per * d)]
        names = m.node(name, inputs, 3 if name == "LSTM" else 2, hidden_size=hidden, direction=direction, **attributes)
        m.output(*names)


_recurrent("LSTM", 4)
_recurrent("GRU", 3)
_recurrent("RNN", 1)


@op("", "Resize")
def resize(m: Maker) -> None:
    spatial = m.int(1, 2)
    x = m.floats([m.int(1, 2), m.int(1, 2), *(m.int(1, 6) for _ in range(spatial))])
    mode = m.pick(("nearest", "linear", "cubic") if spatial == 2 else ("nearest", "linear"))
    transform = m.pick(("half_pixel", "asymmetric", "align_corners", "pytorch_half_pixel"))
    attributes: dict[str, Any] = {"mode": mode, "coordinate_transformation_mode": transform}
    if mode == "nearest":
        attributes |= m.maybe(nearest_mode=m.pick(("round_prefer_floor", "round_prefer_ceil", "floor", "ceil")))
    if mode == "cubic":
        attributes |= m.maybe(cubic_coeff_a=m.number(-1, -0.2), exclude_outside=m.int(0, 1) if transform != "align_corners" else 0)
    if m.chance(0.5):
        # Where scale * size is no integer, the standard's own cases align corners by it, onnxruntime by what it is rounded to.
        choice = (1, 2, 3) if transform == "align_corners" else (0.5, 1, 1.5, 2, 3)
        scales = m.constant(np.array([1, 1, *(m.pick(choice) for _ in range(spatial))], np.float32))
        m.output(m.node("Resize", [m.input(x), "", scales], **attributes))
    else:
        sizes = m.operand(np.array([*x.shape[:2], *(m.int(1, 9) for _ in range(spatial))], np.int64))
        m.output(m.node("Resize", [m.input(x), "", "", sizes], **attributes))


@op("", "GridSample")
def grid_sample(m: Maker) -> None:
    batch = m.int(1, 2)
    x = m.input(m.floats([batch, m.int(1, 2), m.int(2, 5), m.int(2, 5)]))
    mode = m.pick(("linear", "nearest", "cubic"))
    # Outside, onnxruntime moves both coordinates to the border before it interpolates, the reference only the one that is outside.
    reach = 0.9 if mode == "cubic" else 1.2
    grid = m.operand(m.floats([batch, m.int(1, 4), m.int(1, 4), 2], low=-reach, high=reach))
    attributes = m.maybe(padding_mode=m.pick(("zeros", "border", "reflection")), align_corners=m.int(0, 1))
    m.output(m.node("GridSample", [x, grid], mode=mode, **attributes))


@op("", "AffineGrid")
def affine_grid(m: Maker) -> None:
    batch = m.int(1, 2)
    m.symbolic = False  # the number of dims must be known
    theta = m.input(m.floats([batch, 2, 3], low=-1, high=1))
    size = m.operand(np.array([batch, 1, m.int(2, 4), m.int(2, 4)], np.int64))
    m.output(m.node("AffineGrid", [theta, size], **m.maybe(align_corners=m.int(0, 1))))


@op("", "RoiAlign")
def roi_align(m: Maker) -> None:
    batch, count = m.int(1, 2), m.int(1, 3)
    x = m.input(m.floats([batch, m.int(1, 2), 6, 6]))
    corner = m.floats([count, 2], low=0, high=3)
    rois = m.operand(np.concatenate([corner, corner + m.floats([count, 2], low=0.5, high=3)], 1))
    attributes = m.maybe(
        sampling_ratio=m.int(1, 2),
        spatial_scale=m.number(0.5, 1),
        coordinate_transformation_mode=m.pick(("half_pixel", "output_half_pixel")),
    )
    mode = m.pick(("avg", "max"))
    inputs = [x, rois, m.operand(m.ints([count], low=0, high=batch - 1))]
    m.output(m.node("RoiAlign", inputs, output_height=m.int(1, 3), output_width=m.int(1, 3), mode=mode, **attributes))


@op("", "NonMaxSuppression")
def non_max_suppression(m: Maker) -> None:
    count, classes = m.int(1, 8), m.int(1, 2)
    corner = m.floats([1, count, 2], low=0, high=3)
    boxes = np.concatenate([corner, corner + m.floats([1, count, 2], low=0.5, high=3)], 2)
    scores = (m.numpy.permutation(classes * count).astype(np.float32) / 20).reshape(1, classes, count)
    inputs = [m.input(boxes), m.input(scores), m.operand(np.array(m.int(1, 5), np.int64))]
    inputs += [m.operand(np.array(m.number(0.1, 0.9), np.float32)), m.operand(np.array(m.number(0, 0.3), np.float32))]
    m.output(m.node("NonMaxSuppression", inputs, **m.maybe(center_point_box=m.int(0, 1))))


@op("", "Dropout")
def dropout(m: Maker) -> None:
    m.output(*m.node("Dropout", [m.input(m.floats(m.shape(1, 3)))], 2))


@op("", "Upsample")
def upsample(m: Maker) -> None:
    """Gone since opset 10: here as the Resize that it became."""
    x = m.floats([1, m.int(1, 3), m.int(1, 4), m.int(1, 4)])
    scales = m.constant(np.array([1, 1, m.int(1, 3), m.int(1, 3)], np.float32))
    attributes = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    m.output(m.node("Resize", [m.input(x), "", scales], **attributes))


@op("", "SoftmaxCrossEntropyLoss")
def softmax_cross_entropy_loss(m: Maker) -> None:
    batch, classes, tail = m.int(1, 3), m.int(2, 5), m.shape(0, 2, empty=0)
    scores = m.input(m.floats([batch, classes, *tail]))
    labels = m.ints([batch, *tail], low=0, high=classes - 1)
    inputs = [scores, m.operand(labels)] + ([m.operand(m.floats([classes], low=0.2))] if m.chance(0.4) else [])
    attributes = m.maybe(reduction=m.pick(("mean", "sum", "none")), ignore_index=m.int(0, classes - 1))
    m.output(*m.node("SoftmaxCrossEntropyLoss", inputs, 2, **attributes))


@op("", "NegativeLogLikelihoodLoss")
def negative_log_likelihood_loss(m: Maker) -> None:
    batch, classes, tail = m.int(1, 3), m.int(2, 5), m.shape(0, 2, empty=0)
    inputs = [m.input(m.floats([batch, classes, *tail])), m.operand(m.ints([batch, *tail], low=0, high=classes - 1))]
    inputs += [m.operand(m.floats([classes], low=0.2))] if m.chance(0.4) else []
    attributes = m.maybe(reduction=m.pick(("mean", "sum", "none")), ignore_index=m.int(0, classes - 1))
    m.output(m.node("NegativeLogLikelihoodLoss", inputs, **attributes))
