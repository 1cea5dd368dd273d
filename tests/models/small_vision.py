"""Small test models for images: convolutions, pooling, quantisation, boxes."""

import math

import numpy as np
import numpy.typing as npt
from onnx import TensorProto
from small_net import F16, F32, I64, Case, Dims, Net, value


def cnn_residual() -> Case:
    net = Net.seeded("cnn_residual")

    def block(x: str, c_in: int, c_out: int, stride: int) -> str:
        y = net.batch_norm(net.conv(x, c_in, c_out, 3, stride=stride, bias=False), c_out)
        y = net.batch_norm(net.conv(net.op("Relu", y), c_out, c_out, 3, bias=False), c_out)
        if stride != 1:
            x = net.batch_norm(net.conv(x, c_in, c_out, 1, stride=stride, bias=False), c_out)
        return net.op("Relu", net.op("Add", y, x))

    x = net.op("Relu", net.batch_norm(net.conv("image", 3, 8, 3, bias=False), 8))
    x = net.op("MaxPool", x, kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
    x = block(block(x, 8, 8, 1), 8, 16, 2)
    x = net.op("Flatten", net.op("GlobalAveragePool", x), axis=1)
    net.op("Gemm", x, net.weight(10, 16, fan_in=16), net.bias(10), transB=1, out="logits")
    return Case(
        net.graph(
            "cnn_residual",
            [value("image", F32, ["batch", 3, 32, 32])],
            [value("logits", F32, ["batch", 10])],
        ),
        [{"image": net.normal(n, 3, 32, 32)} for n in (1, 3)],
    )


def depthwise_mobilenet() -> Case:
    net = Net.seeded("depthwise_mobilenet")

    def relu6(x: str) -> str:
        return net.op("Clip", x, net.const(0.0), net.const(6.0))

    def hard_swish(x: str) -> str:
        gate = relu6(net.op("Add", x, net.const(3.0)))
        return net.op("Div", net.op("Mul", x, gate), net.const(6.0))

    def squeeze_excite(x: str, channels: int) -> str:
        s = net.op("GlobalAveragePool", x)
        s = net.op("Relu", net.conv(s, channels, channels // 4, 1))
        s = net.op("HardSigmoid", net.conv(s, channels // 4, channels, 1), alpha=1 / 6, beta=0.5)
        return net.op("Mul", x, s)

    x = net.op("HardSwish", net.batch_norm(net.conv("image", 3, 8, 3, stride=2, bias=False), 8))
    y = relu6(net.batch_norm(net.conv(x, 8, 24, 1, bias=False), 24))
    y = relu6(net.batch_norm(net.conv(y, 24, 24, 3, group=24, bias=False), 24))
    y = squeeze_excite(y, 24)
    x = net.op("Add", net.batch_norm(net.conv(y, 24, 8, 1, bias=False), 8), x)
    y = hard_swish(net.batch_norm(net.conv(x, 8, 24, 1, bias=False), 24))
    y = hard_swish(net.batch_norm(net.conv(y, 24, 24, 5, stride=2, group=24, bias=False), 24))
    x = net.batch_norm(net.conv(y, 24, 12, 1, bias=False), 12)
    x = net.op("ReduceMean", x, axes=[2, 3], keepdims=0)
    net.op("Softmax", net.linear(x, 12, 10), axis=-1, out="probabilities")
    return Case(
        net.graph(
            "depthwise_mobilenet",
            [value("image", F32, ["batch", 3, 32, 32])],
            [value("probabilities", F32, ["batch", 10])],
        ),
        [{"image": net.normal(n, 3, 32, 32)} for n in (1, 2)],
    )


def detector() -> Case:
    net = Net.seeded("detector")
    size, stride, classes = 64, 4, 3
    cells = size // stride

    def swish(x: str) -> str:
        return net.op("Mul", x, net.op("Sigmoid", x))

    def part(x: str, first: int, last: int) -> str:
        return net.op("Slice", x, net.ints(first), net.ints(last), net.ints(2), net.ints(1))

    x = swish(net.conv("image", 3, 8, 3, stride=2))
    fine = swish(net.conv(x, 8, 16, 3, stride=2))
    coarse = swish(net.conv(fine, 16, 16, 3, stride=2))
    up = net.op(
        "Resize",
        *(coarse, "", net.const([1.0, 1.0, 2.0, 2.0])),
        mode="nearest",
        coordinate_transformation_mode="asymmetric",
        nearest_mode="floor",
    )
    x = swish(net.conv(net.op("Concat", up, fine, axis=1), 32, 16, 1))
    head = net.op("Mul", net.conv(x, 16, 5 + classes, 1), net.const(4.0))
    head = net.op("Reshape", head, net.ints(0, 5 + classes, cells * cells))
    head = net.op("Transpose", head, perm=[0, 2, 1])  # [batch, cell, x y w h object class...]

    row, column = np.divmod(np.arange(cells * cells), cells)
    corner = net.const(np.stack([column, row], 1)[None] - 0.5)
    centre = net.op("Mul", net.op("Sigmoid", part(head, 0, 2)), net.const(2.0))
    centre = net.op("Mul", net.op("Add", centre, corner), net.const(float(stride)))
    extent = net.op("Clip", part(head, 2, 4), net.const(-1.0), net.const(1.0))
    half = net.op("Mul", net.op("Exp", extent), net.const([5.0, 6.0]))
    boxes = net.op("Concat", net.op("Sub", centre, half), net.op("Add", centre, half), axis=2)
    object_score, class_score = part(head, 4, 5), part(head, 5, 5 + classes)
    scores = net.op("Mul", net.op("Sigmoid", object_score), net.op("Sigmoid", class_score))
    scores = net.op("Transpose", scores, perm=[0, 2, 1])

    limits = net.ints(6), net.const([0.45]), net.const([0.6])
    kept = net.op("NonMaxSuppression", boxes, scores, *limits)  # [n, (image, class, cell)]
    image_and_cell = net.op("Gather", kept, net.ints(0, 2), axis=1)
    kept_boxes = net.op("GatherND", boxes, image_and_cell)
    kept_scores = net.op("GatherND", scores, kept)
    count = net.op("Min", net.op("Shape", kept_scores), net.ints(12))
    _, order = net.ops("TopK", kept_scores, count, out=["scores", "order"], axis=0)
    net.op("Gather", kept_boxes, order, axis=0, out="boxes")
    for column_index, name in ((0, "images"), (1, "classes")):
        picked = net.op("Gather", kept, net.index(column_index), axis=1)
        net.op("Gather", picked, order, axis=0, out=name)
    return Case(
        net.graph(
            "detector",
            [value("image", F32, ["batch", 3, size, size])],
            [
                value("boxes", F32, ["detections", 4]),
                value("scores", F32, ["detections"]),
                value("classes", I64, ["detections"]),
                value("images", I64, ["detections"]),
            ],
        ),
        # A black image has nothing to find: zero detections.
        [{"image": net.normal(n, 3, size, size) * scale} for n, scale in ((1, 1), (2, 0.5), (1, 0))],
    )


def fp16() -> Case:
    net = Net.seeded("fp16")
    half = np.float16
    x = net.op("Relu", net.conv("image", 3, 8, 3, dtype=half))
    x = net.batch_norm(net.conv(x, 8, 16, 3, stride=2, bias=False, dtype=half), 16, half)
    x = net.op("Relu", x)
    y = net.op("Sigmoid", net.conv(x, 16, 16, 1, dtype=half))
    x = net.op("MaxPool", net.op("Mul", x, y), kernel_shape=[2, 2], strides=[2, 2])
    x = net.op("Flatten", net.op("GlobalAveragePool", x), axis=1)
    w, b = net.weight(10, 16, fan_in=16, dtype=half), net.bias(10, half)
    net.op("Gemm", x, w, b, transB=1, out="logits")
    net.op("Softmax", net.op("Cast", "logits", to=F32), axis=1, out="probabilities")
    return Case(
        net.graph(
            "fp16",
            [value("image", F16, ["batch", 3, 16, 16])],
            [value("logits", F16, ["batch", 10]), value("probabilities", F32, ["batch", 10])],
        ),
        [{"image": net.normal(n, 3, 16, 16, dtype=half)} for n in (1, 2)],
    )


def qdq() -> Case:
    """Scales are set by hand to cover about ±3 of activations that stay near unit size."""
    net = Net.seeded("qdq")

    def fake_quant(x: str, scale: float, zero: int, dtype: npt.DTypeLike) -> str:
        scale_name, zero_name = net.const(scale), net.const(zero, dtype)
        q = net.op("QuantizeLinear", x, scale_name, zero_name)
        return net.op("DequantizeLinear", q, scale_name, zero_name)

    def weight(*shape: int, fan_in: int, x_scale: float) -> tuple[str, str]:
        """int8 weights by output channel, and an int32 bias in units of x_scale * weight scale."""
        w = math.sqrt(2 / fan_in) * net.rng.standard_normal(shape)
        scale = (np.abs(w).max(axis=tuple(range(1, w.ndim))) / 127).astype(np.float32)
        q = np.rint(w / scale.reshape(-1, *[1] * (w.ndim - 1)))
        bias_scale = (scale * np.float32(x_scale)).astype(np.float32)
        bias = np.rint(0.1 * net.rng.standard_normal(shape[0]) / bias_scale)
        zeros = net.const(np.zeros(shape[0]), np.int8)
        w_inputs = net.const(q, np.int8), net.const(scale), zeros
        b_inputs = net.const(bias, np.int32), net.const(bias_scale)
        return (
            net.op("DequantizeLinear", *w_inputs, axis=0),
            net.op("DequantizeLinear", *b_inputs, axis=0),
        )

    def conv(x: str, c_in: int, c_out: int, kernel: int, stride: int, x_scale: float) -> str:
        fan_in = c_in * kernel * kernel
        w, b = weight(c_out, c_in, kernel, kernel, fan_in=fan_in, x_scale=x_scale)
        pads = [kernel // 2] * 4
        kernel_shape, strides = [kernel, kernel], [stride, stride]
        return net.op("Conv", x, w, b, kernel_shape=kernel_shape, strides=strides, pads=pads)

    s_in, s = 0.024, 0.03
    x = fake_quant("image", s_in, 3, np.int8)
    x = fake_quant(net.op("Relu", conv(x, 3, 8, 3, 2, s_in)), s, 0, np.int8)
    y = fake_quant(net.op("Relu", conv(x, 8, 8, 3, 1, s)), s, 0, np.int8)
    y = fake_quant(conv(y, 8, 8, 1, 1, s), s, 0, np.int8)
    x = fake_quant(net.op("Relu", net.op("Add", x, y)), 2 * s, 0, np.int8)
    x = fake_quant(net.op("GlobalAveragePool", x), s / 2, 10, np.uint8)
    x = net.op("Flatten", x, axis=1)
    w, b = weight(10, 8, fan_in=8, x_scale=s / 2)
    x = net.op("Gemm", x, w, b, transB=1)
    q = net.op("QuantizeLinear", x, net.const(0.04), net.const(0, np.int8), out="logits_int8")
    net.op("DequantizeLinear", q, net.const(0.04), net.const(0, np.int8), out="logits")
    return Case(
        net.graph(
            "qdq",
            [value("image", F32, ["batch", 3, 16, 16])],
            [
                value("logits_int8", TensorProto.INT8, ["batch", 10]),
                value("logits", F32, ["batch", 10]),
            ],
        ),
        [{"image": net.normal(n, 3, 16, 16)} for n in (1, 2)],
        opset=19,
    )


def unet() -> Case:
    net = Net.seeded("unet")

    def norm(x: str, channels: int) -> str:
        scale = net.const(net.rng.uniform(0.5, 1.5, channels))
        return net.op("InstanceNormalization", x, scale, net.bias(channels), epsilon=1e-5)

    def prelu(x: str, channels: int) -> str:
        return net.op("PRelu", x, net.const(net.rng.uniform(0.1, 0.3, (channels, 1, 1))))

    e1 = net.op("LeakyRelu", norm(net.conv("image", 1, 6, 3), 6), alpha=0.1)
    x = net.op("MaxPool", e1, kernel_shape=[2, 2], strides=[2, 2])
    e2 = net.op("LeakyRelu", norm(net.conv(x, 6, 10, 3), 10), alpha=0.1)
    x = net.op("AveragePool", e2, kernel_shape=[2, 2], strides=[2, 2])
    x = net.op("Elu", net.conv(x, 10, 12, 3, dilation=2))
    up = net.weight(12, 10, 2, 2, fan_in=12)
    x = net.op("ConvTranspose", x, up, net.bias(10), kernel_shape=[2, 2], strides=[2, 2])
    x = prelu(net.conv(net.op("Concat", x, e2, axis=1), 20, 10, 3), 10)
    x = net.op(
        "ConvTranspose",
        *(x, net.weight(10, 6, 3, 3, fan_in=40), net.bias(6)),
        kernel_shape=[3, 3],
        strides=[2, 2],
        pads=[1, 1, 1, 1],
        output_padding=[1, 1],
    )
    x = prelu(net.conv(net.op("Concat", x, e1, axis=1), 12, 6, 3), 6)
    net.op("Sigmoid", net.conv(x, 6, 1, 1), out="mask")
    shape: Dims = ["batch", 1, "height", "width"]
    return Case(
        net.graph("unet", [value("image", F32, shape)], [value("mask", F32, shape)]),
        [{"image": net.normal(n, 1, h, w)} for n, h, w in ((1, 16, 16), (2, 24, 8))],
    )
