// com.microsoft's versions of operators that ONNX has or had under other attributes, and small ones of its own.
#include <limits>

#include "onnx/import_attrs.h"
#include "ops/concat.h"
#include "ops/constant_of_shape.h"
#include "ops/dft.h"
#include "ops/gather.h"
#include "ops/grid_sample.h"
#include "ops/inverse.h"
#include "ops/pad.h"
#include "ops/range.h"
#include "ops/reduce.h"
#include "ops/reshape.h"
#include "ops/scatter.h"
#include "ops/shape_of.h"
#include "ops/split.h"
#include "ops/svm.h"
#include "ops/transpose.h"
#include "ops/unique.h"

namespace tenon::onnx {
namespace {

ValueId to_scalar(NodeImport& n, ValueId value) { return n.emit(ops::Reshape{}, {value, n.int_list({})}); }

/// (a + ib) · (c + id) over a last dim of 2, or · (c - id).
Values complex_product(NodeImport& n, bool conjugate) {
  const Values a = n.emit(ops::Split{.axis = -1, .num_outputs = 2}, {n.required(0, "A")}, 2);
  const Values b = n.emit(ops::Split{.axis = -1, .num_outputs = 2}, {n.required(1, "B")}, 2);
  const Values in{a[0], a[1], b[0], b[1]};
  const ValueId real =
      n.pointwise(in, [&](const std::vector<Term>& t) { return conjugate ? t[0] * t[2] + t[1] * t[3] : t[0] * t[2] - t[1] * t[3]; });
  const ValueId imaginary =
      n.pointwise(in, [&](const std::vector<Term>& t) { return conjugate ? t[1] * t[2] - t[0] * t[3] : t[1] * t[2] + t[0] * t[3]; });
  return {n.emit(ops::Concat{.axis = -1}, {real, imaginary})};
}

void check_fourier(NodeImport& n, int64_t dims) {
  if (dims != 1) n.unsupported("signal_ndim {}; only the last dim can be transformed", dims);
  if (n.int_attr("onesided", 1) != 1 || n.int_attr("normalized", 0) != 0) n.unsupported("onesided must be 1 and normalized 0");
}

}  // namespace

Result<Values> import_expand_dims(NodeImport& n) {
  const ValueId x = n.required(0, "X");
  const Dims axis = n.known_ints(n.required(1, "axis"), "axis");
  if (axis.size() != 1) n.refuse("axis has {} elements, wanted 1", axis.size());
  if (n.failed()) return Values{};
  return Values{n.emit(ops::Unsqueeze{.axes = axis}, {x})};
}

Result<Values> import_ms_pad(NodeImport& n) {
  const ValueId pads = n.required(1, "pads"), flat = n.rank(pads) == 1 ? pads : n.emit(ops::Reshape{}, {pads, n.int_list({-1})});
  const ValueId value = n.has_input(2) ? to_scalar(n, n.input(2)) : ValueId::none;
  return Values{n.emit(ops::Pad{.mode = n.enum_attr("mode", ops::PadMode::constant)}, {n.required(0, "data"), flat, value})};
}
Result<Values> import_ms_range(NodeImport& n) {
  const ValueId start = n.required(0, "start");
  const ValueId step = n.has_input(2) ? to_scalar(n, n.input(2)) : n.scalar(n.dtype(start), 1);
  return Values{n.emit(ops::Range{}, {to_scalar(n, start), to_scalar(n, n.required(1, "limit")), step})};
}
Result<Values> import_ms_unique(NodeImport& n) {
  const Values y = n.emit(ops::Unique{.sorted = false}, {n.required(0, "x")}, 4);
  return Values{y[0], y[2], y[3]};
}
Result<Values> import_same(NodeImport& n) {
  return Values{n.pointwise({n.required(0, "X")}, [](const std::vector<Term>& t) { return t[0]; })};
}
Result<Values> import_torch_embedding(NodeImport& n) {
  return Values{n.emit(ops::Gather{}, {n.required(0, "weight"), n.required(1, "indices")})};
}
Result<Values> import_inverse(NodeImport& n) { return Values{n.emit(ops::Inverse{}, {n.required(0, "X")})}; }

/// Windows of `size` elements, `step` apart, along a dim; the elements of a window become the last dim.
Result<Values> import_unfold_tensor(NodeImport& n) {
  const ValueId x = n.required(0, "input");
  const int64_t rank = n.rank(x), dim = n.axis(n.int_attr("dim", -1), rank), size = n.required_int("size"), step = n.int_attr("step", 1);
  if (size < 1 || step < 1) n.refuse("size {}, step {}", size, step);
  if (n.failed()) return Values{};
  const auto number = [&](int64_t value) { return n.constant(make_tensor<int64_t>(DType::i64, {}, std::span(&value, 1))); };
  const ValueId count = n.pointwise({to_scalar(n, dim_of(n, x, dim))}, [&](const std::vector<Term>& t) {
    return (t[0] - static_cast<double>(size)) / static_cast<double>(step) + 1;
  });
  const ValueId starts = n.emit(ops::Unsqueeze{.axes = {1}}, {n.emit(ops::Range{}, {number(0), count, number(1)})});
  const ValueId offsets = n.emit(ops::Range{}, {number(0), number(size), number(1)});
  const ValueId places =
      n.pointwise({starts, offsets}, [&](const std::vector<Term>& t) { return t[0] * static_cast<double>(step) + t[1]; });
  const ValueId windows = n.emit(ops::Gather{.axis = dim}, {x, places});
  Dims perm;
  for (int64_t i = 0; i <= rank; ++i)
    if (i != dim + 1) perm.push_back(i);
  perm.push_back(dim + 1);
  return Values{n.emit(ops::Transpose{.perm = std::move(perm)}, {windows})};
}

/// Distances of all rows of A [m, k] and B [n, k].
Result<Values> import_cdist(NodeImport& n) {
  const std::string metric = n.string_attr("metric", "sqeuclidean");
  if (metric != "sqeuclidean" && metric != "euclidean") n.unsupported("metric '{}'", metric);
  const ValueId squares = n.emit(ops::SquaredDistance{}, {n.required(0, "A"), n.required(1, "B")});
  if (metric == "sqeuclidean") return Values{squares};
  return Values{n.pointwise({squares}, [](const std::vector<Term>& t) { return apply(Fn::sqrt, t[0]); })};
}

Result<Values> import_complex_mul(NodeImport& n) { return complex_product(n, false); }
Result<Values> import_complex_mul_conj(NodeImport& n) { return complex_product(n, true); }

/// One bool for all elements of all inputs.
Result<Values> import_is_all_finite(NodeImport& n) {
  const bool nan_only = n.int_attr("isnan_only", 0) != 0, inf_only = n.int_attr("isinf_only", 0) != 0;
  Values bad;
  for (const ValueId x : n.inputs()) {
    const ValueId one = n.pointwise({x}, [&](const std::vector<Term>& t) {
      const Term nan = apply(Fn::is_nan, t[0]), inf = apply(Fn::is_inf, t[0]);
      return (nan_only ? nan : inf_only ? inf : apply(Fn::logical_or, nan, inf)).cast(DType::i32);
    });
    bad.push_back(n.emit(ops::Reduce{.kind = engine::ReduceKind::sum, .keepdims = false}, {one}));
  }
  if (bad.empty()) n.refuse("no inputs");
  return Values{n.pointwise(bad, [](const std::vector<Term>& t) {
    Term all = t[0];
    for (size_t i = 1; i < t.size(); ++i) all = all + t[i];
    return apply(Fn::equal, all, all.constant(0));
  })};
}

/// [..., n] → [..., n / 2 + 1, 2], and back to an even length.
Result<Values> import_rfft(NodeImport& n) {
  check_fourier(n, n.int_attr("signal_ndim", 1));
  const ValueId x = n.required(0, "X");
  const int64_t rank = n.rank(x);
  return Values{n.emit(ops::Dft{.axis = rank - 1, .onesided = true}, {n.emit(ops::Unsqueeze{.axes = {rank}}, {x})})};
}
Result<Values> import_irfft(NodeImport& n) {
  check_fourier(n, n.required_int("signal_ndim"));
  const ValueId x = n.required(0, "X");
  const int64_t rank = n.rank(x);
  const ValueId y = n.emit(ops::Dft{.axis = rank - 2, .inverse = true, .onesided = true}, {x});
  return Values{n.emit(ops::Squeeze{.axes = {{rank - 1}}}, {y})};
}

/// Forbids every token that would repeat an n-gram of input_ids [b, length]: its score of [b, vocabulary] becomes -∞.
Result<Values> import_ngram_repeat_block(NodeImport& n) {
  const ValueId ids = n.required(0, "input_ids"), scores = n.required(1, "scores");
  const int64_t size = n.required_int("ngram_size");
  if (size < 1) n.refuse("ngram_size {}", size);
  if (n.failed()) return Values{};
  // Position i holds the last token of an n-gram; the tokens before it are compared with the last ones of all.
  const auto from = [&](int64_t first, int64_t last) { return cut(n, ids, 1, first, last); };
  const ValueId candidates = from(size - 1, INT64_MAX);
  Values in{candidates};
  for (int64_t k = 0; k + 1 < size; ++k) {
    in.push_back(from(k, k - size + 1));
    in.push_back(k == size - 2 ? from(-1, INT64_MAX) : from(k - size + 1, k - size + 2));
  }
  const ValueId repeats = n.pointwise(in, [&](const std::vector<Term>& t) {
    Term all = apply(Fn::equal, t[0], t[0]);
    for (size_t i = 1; i < t.size(); i += 2) all = apply(Fn::logical_and, all, apply(Fn::equal, t[i], t[i + 1]));
    return all.cast(DType::f32);
  });
  const ValueId zeros = n.pointwise({scores}, [](const std::vector<Term>& t) { return t[0].constant(0); });
  const ValueId banned = n.emit(ops::ScatterElements{.axis = 1, .reduction = ops::ScatterReduction::max}, {zeros, candidates, repeats});
  return Values{n.pointwise({scores, banned}, [](const std::vector<Term>& t) {
    return where(t[1] > 0, t[0].constant(-std::numeric_limits<double>::infinity()), t[0]);
  })};
}

/// Boxes (y1, x1, y2, x2, as parts of the image) of X [N, C, H, W] in one size; outside of the image stands a constant.
Result<Values> import_crop_and_resize(NodeImport& n) {
  const std::string mode = n.string_attr("mode", "bilinear");
  if (mode != "bilinear" && mode != "nearest") n.refuse("attribute 'mode' is '{}', wanted bilinear or nearest", mode);
  const ValueId x = n.required(0, "X"), rois = n.required(1, "rois"), size = n.cast(n.required(3, "crop_size"), DType::i64);
  const ValueId images = n.emit(ops::Gather{}, {x, n.required(2, "batch_indices")});
  const double outside = n.float_attr("extrapolation_value", 0);
  const DType type = n.dtype(x);
  Values coordinates, inside;
  for (int64_t d = 0; d < 2; ++d) {  // y, then x: [boxes, 1, 1] and the steps along dim d + 1
    const auto corner = [&](int64_t i) { return n.emit(ops::Unsqueeze{.axes = {1}}, {cut(n, rois, 1, i, i + 1)}); };
    const ValueId count = n.emit(ops::Gather{}, {size, n.int_list({d})});
    const ValueId steps = n.indices_of(n.emit(ops::ConstantOfShape{}, {count, n.scalar(DType::f32, 0)}), 0, d + 1, 3);
    const ValueId at = n.pointwise({corner(d), corner(d + 2), steps, count}, [&](const std::vector<Term>& t) {
      const Term last = (t[3] - 1).cast(type), i = t[2].cast(type);
      return where(t[3] > 1, t[0] + i * (t[1] - t[0]) / max(last, last.constant(1)), (t[0] + t[1]) * 0.5);
    });
    coordinates.push_back(at);
    inside.push_back(n.pointwise({at, dim_of(n, x, d + 2)}, [&](const std::vector<Term>& t) {
      const Term place = t[0] * (t[1] - 1).cast(type);
      return apply(Fn::logical_and, place >= 0, place <= (t[1] - 1).cast(type));
    }));
  }
  const auto grid_of = [&](ValueId mine, ValueId other) {
    const ValueId wide = n.pointwise({mine, other}, [](const std::vector<Term>& t) { return t[0] * 2 - 1 + t[1] * 0; });
    return n.emit(ops::Unsqueeze{.axes = {3}}, {wide});
  };
  const ValueId grid = n.emit(ops::Concat{.axis = 3}, {grid_of(coordinates[1], coordinates[0]), grid_of(coordinates[0], coordinates[1])});
  const ops::GridSample sample{.mode = mode == "nearest" ? ops::GridMode::nearest : ops::GridMode::linear,
                               .padding = ops::GridPadding::border,
                               .align_corners = true};
  const ValueId y = n.emit(sample, {images, grid});
  const auto one_channel = [&](ValueId value) { return n.emit(ops::Unsqueeze{.axes = {1}}, {value}); };
  return Values{n.pointwise({y, one_channel(inside[0]), one_channel(inside[1])}, [&](const std::vector<Term>& t) {
    return where(apply(Fn::logical_and, t[1], t[2]), t[0], t[0].constant(outside));
  })};
}

}  // namespace tenon::onnx
