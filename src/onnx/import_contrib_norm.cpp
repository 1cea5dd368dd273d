// com.microsoft's normalisations: with what was added before them, with embeddings, with an activation.
#include <algorithm>

#include "onnx/import_attrs.h"
#include "ops/constant_of_shape.h"
#include "ops/gather.h"
#include "ops/norm.h"
#include "ops/reduce.h"
#include "ops/reshape.h"
#include "ops/shape_of.h"
#include "ops/transpose.h"

namespace tenon::onnx {
namespace {

ValueId all_added(NodeImport& n, const Values& in) {
  return n.pointwise(in, [](const std::vector<Term>& t) {
    Term all = t[0];
    for (size_t i = 1; i < t.size(); ++i) all = all + t[i];
    return all;
  });
}

/// y = norm(x + skip + bias); then the mean, 1 / deviation and the sum. Without a mean (rms) its output is 0.
Values skip_norm(NodeImport& n, bool rms) {
  Values parts{n.required(0, "input"), n.required(1, "skip")};
  const size_t bias = rms ? 3 : 4;
  if (n.has_input(bias)) parts.push_back(n.input(bias));
  const ValueId sum = all_added(n, parts);
  Values in{sum, n.required(2, "gamma")};
  if (!rms && n.has_input(3)) in.push_back(n.input(3));
  const size_t outputs = n.has_output(2) ? 3 : n.has_output(1) ? 2 : 1;
  Values out = n.emit(ops::LayerNorm{.axis = -1, .epsilon = n.float_attr("epsilon", 1e-12f), .rms = rms}, std::move(in), outputs);
  out.resize(3, ValueId::none);
  if (rms && out[1] != ValueId::none) out[1] = n.pointwise({out[1]}, [](const std::vector<Term>& t) { return t[0].constant(0); });
  out.push_back(sum);
  return out;
}

/// Where the inputs of the embedding operators are; `table` gives a table of embeddings or a vector of floats.
struct EmbedInputs {
  size_t ids, segments, word, position, segment, gamma, beta, mask, positions;
};
Values embed_norm(NodeImport& n, const EmbedInputs& at, const std::function<ValueId(size_t)>& table,
                  const std::function<ValueId(size_t, ValueId)>& rows) {
  const ValueId ids = n.required(at.ids, "input_ids");
  Values parts{rows(at.word, ids)};
  parts.push_back(rows(at.position, n.has_input(at.positions) ? n.input(at.positions) : n.indices_of(ids, 1, 0, 1)));
  if (n.has_input(at.segments) && n.has_input(at.segment)) parts.push_back(rows(at.segment, n.input(at.segments)));
  const ValueId sum = all_added(n, parts);
  const ops::LayerNorm norm{.axis = -1, .epsilon = n.float_attr("epsilon", 1e-12f)};
  const ValueId y = n.emit(norm, {sum, table(at.gamma), table(at.beta)});
  const ops::Reduce count{.kind = engine::ReduceKind::sum, .axes = {1}, .keepdims = false};
  const ValueId masked = n.has_input(at.mask) ? n.input(at.mask) : ids;
  const bool counts = n.has_input(at.mask);
  const ValueId ones = n.pointwise({masked}, [&](const std::vector<Term>& t) {
    return counts ? apply(Fn::equal, t[0], t[0].constant(1)).cast(DType::i32) : Term{t[0].expr, t[0].expr->add_int(0, DType::i32)};
  });
  return {y, n.emit(count, {ones}), sum};
}

/// Groups of channels normalised together, then the activation (1: x · sigmoid(x)).
ValueId group_norm(NodeImport& n, ValueId x) {
  const int64_t groups = n.required_int("groups"), rank = n.rank(x), activation = n.required_int("activation");
  const bool behind = n.int_attr("channels_last", 1) != 0;
  if (groups < 1) n.refuse("groups is {}", groups);
  if (activation != 0 && activation != 1) n.unsupported("activation {}", activation);
  if (rank < 3) n.refuse("X must have spatial dims, got {}", to_string(n.fact(x).shape()));
  if (n.failed()) return x;
  Dims front{0, rank - 1}, back{0};
  for (int64_t i = 1; i < rank - 1; ++i) front.push_back(i);
  for (int64_t i = 2; i < rank; ++i) back.push_back(i);
  back.push_back(1);
  const ValueId first = behind ? n.emit(ops::Transpose{.perm = front}, {x}) : x;
  const ValueId grouped = n.emit(ops::Reshape{}, {first, n.int_list({0, groups, -1})});
  ValueId y = n.emit(ops::LayerNorm{.axis = 2, .epsilon = n.float_attr("epsilon", 1e-5f)}, {grouped});
  y = n.emit(ops::Reshape{}, {y, n.emit(ops::ShapeOf{}, {first})});
  if (behind) y = n.emit(ops::Transpose{.perm = back}, {y});
  const auto of_channels = [&](ValueId vector) {
    if (behind) return vector;
    Dims axes;
    for (int64_t i = 1; i < rank - 1; ++i) axes.push_back(i);
    return n.emit(ops::Unsqueeze{.axes = axes}, {vector});
  };
  const Values in{y, of_channels(n.required(1, "gamma")), of_channels(n.required(2, "beta"))};
  return n.pointwise(in, [&](const std::vector<Term>& t) {
    const Term z = t[0] * t[1].cast(t[0].type()) + t[2].cast(t[0].type());
    return activation == 1 ? z * apply(Fn::sigmoid, z) : z;
  });
}

/// Dropout of inference: nothing is dropped, and the mask says so.
Values without_dropout(NodeImport& n, ValueId y, size_t training, bool bits) {
  const auto mode = n.contents(n.input(training));
  if (n.has_input(training) && (!mode || mode->elems() != 1 || mode->as<uint8_t>()[0] != 0))
    n.unsupported("training_mode; export the model for inference");
  if (!n.has_output(1)) return {y};
  if (bits) n.unsupported("the mask as bits; nothing is dropped in inference, so remove what uses it");
  return {y, n.pointwise({y}, [](const std::vector<Term>& t) { return apply(Fn::equal, t[0].constant(0), t[0].constant(0)); })};
}
Values bias_dropout(NodeImport& n, bool bits) {
  Values parts{n.required(0, "data"), n.required(1, "bias")};
  if (n.has_input(2)) parts.push_back(n.input(2));
  return without_dropout(n, all_added(n, parts), 4, bits);
}

}  // namespace

Result<Values> import_skip_layer_normalization(NodeImport& n) { return skip_norm(n, false); }
Result<Values> import_skip_rms_normalization(NodeImport& n) { return skip_norm(n, true); }

Result<Values> import_embed_layer_normalization(NodeImport& n) {
  const EmbedInputs at{.ids = 0, .segments = 1, .word = 2, .position = 3, .segment = 4, .gamma = 5, .beta = 6, .mask = 7, .positions = 8};
  const auto table = [&](size_t i) { return n.required(i, "a vector"); };
  const auto rows = [&](size_t i, ValueId ids) { return n.emit(ops::Gather{}, {n.required(i, "a table of embeddings"), ids}); };
  return embed_norm(n, at, table, rows);
}
Result<Values> import_q_embed_layer_normalization(NodeImport& n) {
  constexpr size_t kAbsent = 99;
  const EmbedInputs at{
      .ids = 0, .segments = 1, .word = 2, .position = 3, .segment = 4, .gamma = 5, .beta = 6, .mask = 7, .positions = kAbsent};
  const auto wide = [&](size_t i, ValueId q) {  // scales follow the mask, zero points the scales
    const size_t scale = i + 6, zero = i + 11;
    return n.pointwise({q, n.required(scale, "a scale"), n.required(zero, "a zero point")},
                       [](const std::vector<Term>& t) { return (t[0].cast(DType::i32) - t[2].cast(DType::i32)).cast(t[1].type()) * t[1]; });
  };
  const auto table = [&](size_t i) { return wide(i, n.required(i, "a vector")); };
  const auto rows = [&](size_t i, ValueId ids) { return wide(i, n.emit(ops::Gather{}, {n.required(i, "a table of embeddings"), ids})); };
  return embed_norm(n, at, table, rows);
}

Result<Values> import_ms_group_norm(NodeImport& n) { return Values{group_norm(n, n.required(0, "X"))}; }
/// The sum of X, skip and a bias, normalised; the sum itself is the second output. A skip of [N, C] stands for all of the image.
Result<Values> import_skip_group_norm(NodeImport& n) {
  const ValueId x = n.required(0, "X");
  const int64_t rank = n.rank(x);
  const bool behind = n.int_attr("channels_last", 1) != 0;
  const auto spread = [&](ValueId value) {
    if (n.rank(value) == rank || (behind && n.rank(value) == 1)) return value;
    Dims axes;
    for (int64_t i = 0; i < rank - 2; ++i) axes.push_back(n.rank(value) == 1 ? i + 1 : behind ? i + 1 : i + 2);
    return n.emit(ops::Unsqueeze{.axes = axes}, {value});
  };
  Values parts{x, spread(n.required(3, "skip"))};
  if (n.has_input(4)) parts.push_back(spread(n.input(4)));
  const ValueId sum = all_added(n, parts);
  return Values{group_norm(n, sum), sum};
}

/// Softmax of data + bias over the dims from `axis` on.
Result<Values> import_bias_softmax(NodeImport& n) {
  const ValueId x = all_added(n, {n.required(0, "data"), n.required(1, "bias")});
  const int64_t rank = n.rank(x), axis = n.axis(n.int_attr("axis", 1), rank);
  if (axis == rank - 1) return Values{n.emit(ops::Softmax{.axis = -1}, {x})};
  const ValueId y = n.emit(ops::Softmax{.axis = -1}, {n.emit(ops::Flatten{.axis = axis}, {x})});
  return Values{n.emit(ops::Reshape{}, {y, n.emit(ops::ShapeOf{}, {x})})};
}

Result<Values> import_bias_dropout(NodeImport& n) { return bias_dropout(n, false); }
Result<Values> import_bitmask_bias_dropout(NodeImport& n) { return bias_dropout(n, true); }
Result<Values> import_bitmask_dropout(NodeImport& n) { return without_dropout(n, n.required(0, "data"), 2, true); }

}  // namespace tenon::onnx
