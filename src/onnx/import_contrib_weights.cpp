// com.microsoft's weights of a few bits, packed into bytes: MatMulNBits, MatMulBnb4, GatherBlockQuantized.
#include <array>

#include "onnx/import_attrs.h"
#include "onnx/import_quant.h"
#include "ops/concat.h"
#include "ops/gather.h"
#include "ops/mat_mul.h"
#include "ops/quantize.h"
#include "ops/reshape.h"
#include "ops/shape_of.h"
#include "ops/slice.h"

namespace tenon::onnx {

ValueId unpacked_bytes(NodeImport& n, ValueId bytes, int64_t bits) {
  if (bits == 8) return bytes;
  const int64_t rank = n.rank(bytes), count = 8 / bits, mask = (int64_t{1} << bits) - 1;
  Values parts;
  for (int64_t i = 0; i < count; ++i)
    parts.push_back(n.emit(ops::Unsqueeze{.axes = {rank}}, {n.pointwise({bytes}, [&](const std::vector<Term>& t) {
                             return apply(Fn::bit_and, apply(Fn::shift_right, t[0], t[0].constant(static_cast<double>(i * bits))),
                                          t[0].constant(static_cast<double>(mask)));
                           })}));
  const ValueId apart = n.emit(ops::Concat{.axis = rank}, std::move(parts));
  const ValueId before = n.emit(ops::ShapeOf{.start = 0, .end = rank - 1}, {bytes});
  const ValueId shape = rank == 1 ? n.int_list({-1}) : n.emit(ops::Concat{.axis = 0}, {before, n.int_list({-1})});
  return n.emit(ops::Reshape{}, {apart, shape});
}

namespace {

/// The attributes of MatMulNBits.
struct PackedWeights {
  int64_t k, rows, bits, block, blocks;
  DType type;
};

/// Packed bytes as [rows, columns]: constant ones are a tensor of a narrower type with the same bytes.
ValueId unpacked_weights(NodeImport& n, const PackedWeights& w, ValueId value, int64_t columns) {
  const std::optional<Tensor> bytes = n.contents(value);
  if (n.dtype(value) != DType::u8) n.unsupported("packed weights of type {}", to_string(n.dtype(value)));
  if (n.failed()) return ValueId::none;
  if (!bytes) {
    const ValueId flat = n.emit(ops::Reshape{}, {value, n.int_list({w.rows, columns * w.bits / 8})});
    return unpacked_bytes(n, flat, w.bits);
  }
  const int64_t count = w.rows * columns;
  if (bytes_of(w.type, count) != bytes->bytes()) n.refuse("{} bytes for [{}, {}] of {} bits", bytes->bytes(), w.rows, columns, w.bits);
  if (n.failed()) return ValueId::none;
  auto owner = std::make_shared<Tensor>(*bytes);
  return n.constant(Tensor::wrap(w.type, {w.rows, columns}, bytes->data, owner));
}

/// Zero points of each block, u8 or wider: packed in rows of their own, or as they are, or absent: the middle of the range.
ValueId block_zeros(NodeImport& n, const PackedWeights& w) {
  if (!n.has_input(3)) return n.constant(filled(n, w.type, {w.rows, w.blocks}, static_cast<double>(int64_t{1} << (w.bits - 1))));
  if (is_float(n.dtype(n.input(3)))) return n.emit(ops::Reshape{}, {n.input(3), n.int_list({w.rows, w.blocks})});
  const int64_t per_byte = 8 / w.bits, padded = (w.blocks + per_byte - 1) / per_byte * per_byte;
  const ValueId zeros = unpacked_weights(n, w, n.input(3), padded);
  return padded == w.blocks ? zeros : cut(n, zeros, 1, 0, w.blocks);
}

/// Blocks as g_idx says, one number for each of the k: (q - zero[n, g]) · scale[n, g].
ValueId grouped_weights(NodeImport& n, ValueId weights, ValueId scale, ValueId zeros, const PackedWeights& w) {
  const ValueId groups = n.input(4), q = w.blocks * w.block == w.k ? weights : cut(n, weights, 1, 0, w.k);
  const ValueId of_k = cut(n, groups, 0, 0, w.k);
  const Values in{q, n.emit(ops::Gather{.axis = 1}, {scale, of_k}), n.emit(ops::Gather{.axis = 1}, {zeros, of_k})};
  return n.pointwise(in, [](const std::vector<Term>& t) { return (t[0].cast(t[1].type()) - t[2].cast(t[1].type())) * t[1]; });
}

}  // namespace

/// Weights of `bits` each, [N, blocks, block·bits/8] packed from the low bits up, one scale and one zero point per block:
/// Y = A · dequantised(B)ᵀ.
Result<Values> import_matmul_n_bits(NodeImport& n) {
  PackedWeights w{.k = n.required_int("K"),
                  .rows = n.required_int("N"),
                  .bits = n.int_attr("bits", 4),
                  .block = n.required_int("block_size"),
                  .blocks = 0,
                  .type = DType::u8};
  const ValueId a = n.required(0, "A"), b = n.required(1, "B"), scales = n.required(2, "scales");
  w.type = w.bits == 4 ? DType::u4 : w.bits == 2 ? DType::u2 : DType::u8;
  if (w.bits != 2 && w.bits != 4 && w.bits != 8) n.unsupported("{} bits", w.bits);
  if (w.k < 1 || w.rows < 1 || w.block < 1) n.refuse("K {}, N {}, block_size {}", w.k, w.rows, w.block);
  if (n.int_attr("weight_prepacked", 0) != 0) n.unsupported("weights in the layout of one execution provider");
  if (n.failed()) return Values{};
  w.blocks = (w.k + w.block - 1) / w.block;
  const ValueId weights = unpacked_weights(n, w, b, w.blocks * w.block), zeros = block_zeros(n, w);
  const ValueId scale = n.emit(ops::Reshape{}, {scales, n.int_list({w.rows, w.blocks})});
  ValueId dense = ValueId::none;
  if (n.has_input(4)) {
    dense = grouped_weights(n, weights, scale, zeros, w);
  } else if (is_float(n.dtype(zeros))) {
    const auto column = [&](ValueId value) { return n.emit(ops::Unsqueeze{.axes = {2}}, {value}); };
    const ValueId blocks = n.emit(ops::Reshape{}, {weights, n.int_list({w.rows, w.blocks, w.block})});
    const ValueId all = n.pointwise({blocks, column(scale), column(zeros)},
                                    [](const std::vector<Term>& t) { return (t[0].cast(t[1].type()) - t[2].cast(t[1].type())) * t[1]; });
    dense = n.emit(ops::Reshape{}, {all, n.int_list({w.rows, w.blocks * w.block})});
  } else {
    const ValueId zero = n.dtype(zeros) == n.dtype(weights) ? zeros : n.cast(zeros, n.dtype(weights));
    dense = n.emit(ops::DequantizeLinear{.axis = 1, .block_size = w.block}, {weights, scale, zero});
  }
  if (w.blocks * w.block != w.k && !n.has_input(4)) dense = cut(n, dense, 1, 0, w.k);
  const ValueId y = n.emit(ops::MatMul{.trans_b = true}, {a, n.cast(dense, n.dtype(a))});
  if (!n.has_input(5)) return Values{y};
  return Values{n.pointwise({y, n.input(5)}, [](const std::vector<Term>& t) { return t[0] + t[1]; })};
}

/// Weights of 4 bits that index a table of 16 numbers, [N·K / 2] bytes whose high halves come first; absmax scales each block of the
/// flat weights. The tables are those of the formats FP4 (sign, two bits of exponent, one of mantissa, divided by 12) and NF4 (quantiles
/// of the normal distribution).
Result<Values> import_matmul_bnb4(NodeImport& n) {
  static constexpr std::array<float, 16> fp4 = {0,    0.00520833333f,  0.66666667f,  1,  0.33333333f,  0.5f,  0.16666667f,  0.25f,
                                                -0.f, -0.00520833333f, -0.66666667f, -1, -0.33333333f, -0.5f, -0.16666667f, -0.25f};
  static constexpr std::array<float, 16> nf4 = {-1.0f,
                                                -0.6961928009986877f,
                                                -0.5250730514526367f,
                                                -0.39491748809814453f,
                                                -0.28444138169288635f,
                                                -0.18477343022823334f,
                                                -0.09105003625154495f,
                                                0.0f,
                                                0.07958029955625534f,
                                                0.16093020141124725f,
                                                0.24611230194568634f,
                                                0.33791524171829224f,
                                                0.44070982933044434f,
                                                0.5626170039176941f,
                                                0.7229568362236023f,
                                                1.0f};
  const int64_t k = n.required_int("K"), rows = n.required_int("N"), block = n.required_int("block_size"),
                type = n.required_int("quant_type");
  const bool transposed = n.int_attr("transB", 1) != 0;
  if (type != 0 && type != 1) n.unsupported("quant_type {}", type);
  if (k < 1 || rows < 1 || block < 1) n.refuse("K {}, N {}, block_size {}", k, rows, block);
  if (n.failed()) return Values{};
  const ValueId a = n.required(0, "A"), bytes = n.emit(ops::Reshape{}, {n.required(1, "B"), n.int_list({-1, 1})});
  const ValueId high = n.pointwise({bytes}, [](const std::vector<Term>& t) { return apply(Fn::shift_right, t[0], t[0].constant(4)); });
  const ValueId low = n.pointwise({bytes}, [](const std::vector<Term>& t) { return apply(Fn::bit_and, t[0], t[0].constant(15)); });
  const ValueId places = n.cast(n.emit(ops::Concat{.axis = 1}, {high, low}), DType::i32);
  const ValueId table = n.constant(make_tensor<float>(DType::f32, {16}, type == 0 ? fp4 : nf4));
  const int64_t count = k * rows, blocks = (count + block - 1) / block;
  ValueId w = cut(n, n.emit(ops::Reshape{}, {n.emit(ops::Gather{}, {table, places}), n.int_list({-1})}), 0, 0, count);
  const ValueId scale = n.cast(n.emit(ops::Reshape{}, {n.required(2, "absmax"), n.int_list({blocks, 1})}), DType::f32);
  if (count % block == 0) {
    w = n.emit(ops::Reshape{}, {w, n.int_list({blocks, block})});
    w = n.pointwise({w, scale}, [](const std::vector<Term>& t) { return t[0] * t[1]; });
  } else {
    const ValueId at =
        n.pointwise({n.indices_of(w, 0, 0, 1)}, [&](const std::vector<Term>& t) { return t[0] / static_cast<double>(block); });
    const ValueId scales = n.emit(ops::Gather{}, {n.emit(ops::Reshape{}, {scale, n.int_list({-1})}), at});
    w = n.pointwise({w, scales}, [](const std::vector<Term>& t) { return t[0] * t[1]; });
  }
  w = n.emit(ops::Reshape{}, {w, n.int_list(transposed ? Dims{rows, k} : Dims{k, rows})});
  return Values{n.emit(ops::MatMul{.trans_b = transposed}, {a, n.cast(w, n.dtype(a))})};
}

/// Rows of a table with one scale (and zero point) for each `block_size` numbers along quantize_axis; bytes hold 8 / bits of them.
Result<Values> import_gather_block_quantized(NodeImport& n) {
  const ValueId data = n.required(0, "data"), indices = n.required(1, "indices"), scales = n.required(2, "scales");
  const int64_t rank = n.rank(data), bits = n.int_attr("bits", 4), block = n.int_attr("block_size", 128);
  const int64_t gather = n.axis(n.int_attr("gather_axis", 0), rank), along = n.axis(n.int_attr("quantize_axis", 1), rank);
  const bool bytes = n.dtype(data) == DType::u8;
  if (n.dtype(data) != DType::u8 && n.dtype(data) != DType::u4 && n.dtype(data) != DType::i4)
    n.unsupported("data of type {}", to_string(n.dtype(data)));
  if (bits != 2 && bits != 4 && bits != 8) n.unsupported("{} bits", bits);
  if (gather == along) n.unsupported("a gather along the axis of the blocks");
  if (block < 1) n.refuse("block_size {}", block);
  if (bytes && bits != 8 && along != rank - 1) n.unsupported("packed bytes whose blocks do not lie along the last axis");
  if (n.failed()) return Values{};
  const auto rows = [&](ValueId value) { return n.emit(ops::Gather{.axis = gather}, {value, indices}); };
  ValueId q = rows(data);
  const ValueId scale = rows(scales);
  if (bytes) q = unpacked_bytes(n, q, bits);
  Values in{q, scale};
  const int64_t axis = along > gather ? along - rank : along;  // from the back, where indices of any rank change nothing
  if (n.has_input(3)) {
    ValueId zero = rows(n.input(3));
    if (bytes && bits != 8) {
      const ValueId end = n.emit(ops::ShapeOf{.start = -1}, {scale});
      zero = n.emit(ops::Slice{}, {unpacked_bytes(n, zero, bits), n.int_list({0}), end, n.int_list({axis})});
    }
    in.push_back(zero);
  } else if (bytes) {  // the middle of the range
    const double middle = static_cast<double>(int64_t{1} << (bits - 1));
    in.push_back(n.pointwise({scale}, [&](const std::vector<Term>& t) {
      return Term{t[0].expr, t[0].expr->add_constant(middle, DType::u8)};
    }));
  }
  return Values{n.emit(ops::DequantizeLinear{.axis = axis, .block_size = block}, std::move(in))};
}

}  // namespace tenon::onnx
