// Problems that compute: products, convolutions, arithmetic, reductions, norms, pools, attention, recurrent layers.
#pragma once
#include <array>

#include "tensor/expr.h"
#include "tensor/fact.h"
#include "tensor/math.h"

namespace tenon::engine {

struct Epilogue {
  Expr expr;                    // empty: the result is stored as it is
  std::vector<Shape> operands;  // shapes of the trailing inputs: input 1 + i of the expression
  static constexpr std::string_view kName = "Epilogue";
  static constexpr auto kFields = Fields{Field{1, "expr", &Epilogue::expr}, Field{2, "operands", &Epilogue::operands}};
};

/// What happens to the rows of a product's left operand before it: (row - mean) / sqrt(variance + epsilon), or row / sqrt(mean of squares +
/// epsilon). It is done behind the product, inverse · (sum of a b - mean · sums of b): `layer` has those sums, f32 [n], as input 2.
enum class RowNorm : uint8_t { none, layer, rms };
constexpr auto enum_names(RowNorm) { return std::array<std::string_view, 3>{"none", "layer", "rms"}; }

/// out[batch, m, n] = sum_k a[a_batch, m, k] · b[b_batch, k, n]. Batches have equal rank and broadcast by 1; trans_x: the stored matrix
/// is the transpose ([k, m], [n, k]). Inputs: a, b, epilogue operands.
struct GemmProblem {
  DType a = DType::f32, b = DType::f32, out = DType::f32;
  Dim m, n, k;
  std::vector<Dim> batch, a_batch, b_batch;
  bool trans_a = false, trans_b = false;
  bool b_static = false;  // b is a constant of the graph: a kernel may fetch it before its predecessor has ended
  RowNorm row_norm = RowNorm::none;
  double epsilon = 0;
  Math math;
  Epilogue epilogue;
  static constexpr std::string_view kName = "gemm";
  static constexpr auto kFields = Fields{Field{1, "a", &GemmProblem::a},
                                         Field{2, "b", &GemmProblem::b},
                                         Field{3, "out", &GemmProblem::out},
                                         Field{4, "m", &GemmProblem::m},
                                         Field{5, "n", &GemmProblem::n},
                                         Field{6, "k", &GemmProblem::k},
                                         Field{7, "batch", &GemmProblem::batch},
                                         Field{8, "a_batch", &GemmProblem::a_batch},
                                         Field{9, "b_batch", &GemmProblem::b_batch},
                                         Field{10, "trans_a", &GemmProblem::trans_a},
                                         Field{11, "trans_b", &GemmProblem::trans_b},
                                         Field{12, "math", &GemmProblem::math},
                                         Field{13, "epilogue", &GemmProblem::epilogue},
                                         Field{14, "b_static", &GemmProblem::b_static},
                                         Field{15, "row_norm", &GemmProblem::row_norm},
                                         Field{16, "epsilon", &GemmProblem::epsilon}};
  size_t own_inputs() const { return row_norm == RowNorm::layer ? 3 : 2; }
};

/// x [n, c, spatial], w [m, c/groups, kernel] (transposed: [c, m/groups, kernel]) → [n, m, out spatial]. Inputs: x, w, bias [m] if
/// has_bias, epilogue operands. pads: begin of each spatial dim (the end follows from out). channels_last: x [n, spatial, c],
/// w [m, kernel, c/groups] → [n, out spatial, m]; not with transposed.
struct ConvProblem {
  DType x = DType::f32, w = DType::f32, out = DType::f32;
  Dim n, c, m;
  std::vector<Dim> in_spatial, kernel, out_spatial, pads;
  std::vector<int64_t> strides, dilations;
  int64_t groups = 1;
  bool transposed = false, has_bias = false;
  bool channels_last = false;  // x [n, spatial, c], w [m, kernel, c/groups] → [n, out spatial, m]
  bool w_static = false;       // w is a constant of the graph, as in b_static of a product
  Math math;
  Epilogue epilogue;
  static constexpr std::string_view kName = "conv";
  static constexpr auto kFields = Fields{Field{1, "x", &ConvProblem::x},
                                         Field{2, "w", &ConvProblem::w},
                                         Field{3, "out", &ConvProblem::out},
                                         Field{4, "n", &ConvProblem::n},
                                         Field{5, "c", &ConvProblem::c},
                                         Field{6, "m", &ConvProblem::m},
                                         Field{7, "in_spatial", &ConvProblem::in_spatial},
                                         Field{8, "kernel", &ConvProblem::kernel},
                                         Field{9, "out_spatial", &ConvProblem::out_spatial},
                                         Field{10, "pads", &ConvProblem::pads},
                                         Field{11, "strides", &ConvProblem::strides},
                                         Field{12, "dilations", &ConvProblem::dilations},
                                         Field{13, "groups", &ConvProblem::groups},
                                         Field{14, "transposed", &ConvProblem::transposed},
                                         Field{15, "has_bias", &ConvProblem::has_bias},
                                         Field{16, "math", &ConvProblem::math},
                                         Field{17, "epilogue", &ConvProblem::epilogue},
                                         Field{18, "channels_last", &ConvProblem::channels_last},
                                         Field{19, "w_static", &ConvProblem::w_static}};
};

/// out = expr(in broadcast to out). One output per result.
struct PointwiseProblem {
  Expr expr;
  std::vector<Shape> in;
  Shape out;
  static constexpr std::string_view kName = "pointwise";
  static constexpr auto kFields =
      Fields{Field{1, "expr", &PointwiseProblem::expr}, Field{2, "in", &PointwiseProblem::in}, Field{3, "out", &PointwiseProblem::out}};
};

enum class ReduceKind : uint8_t { sum, mean, max, min, prod, l1, l2, sum_square, log_sum, log_sum_exp, arg_max, arg_min };
constexpr auto enum_names(ReduceKind) {
  return std::array<std::string_view, 12>{"sum", "mean",       "max",     "min",         "prod",    "l1",
                                          "l2",  "sum_square", "log_sum", "log_sum_exp", "arg_max", "arg_min"};
}
/// Reduces `axes` (sorted, non-negative) of in; keepdims: they stay as dims of 1. arg_*: one axis, i64 result.
struct ReduceProblem {
  ReduceKind kind = ReduceKind::sum;
  DType in = DType::f32, out = DType::f32;
  Shape shape;
  std::vector<int64_t> axes;
  bool last_index = false;  // arg_*: of equal values, the last
  bool keepdims = true;
  Epilogue epilogue;
  static constexpr std::string_view kName = "reduce";
  static constexpr auto kFields = Fields{Field{1, "kind", &ReduceProblem::kind},         Field{2, "in", &ReduceProblem::in},
                                         Field{3, "out", &ReduceProblem::out},           Field{4, "shape", &ReduceProblem::shape},
                                         Field{5, "axes", &ReduceProblem::axes},         Field{6, "last_index", &ReduceProblem::last_index},
                                         Field{7, "epilogue", &ReduceProblem::epilogue}, Field{8, "keepdims", &ReduceProblem::keepdims}};
};

enum class NormKind : uint8_t { softmax, log_softmax, layer, rms };
constexpr auto enum_names(NormKind) { return std::array<std::string_view, 4>{"softmax", "log_softmax", "layer", "rms"}; }
/// Along the dims [axis, axis + axes) of shape. softmax kinds: in x. layer, rms: x, scale?, bias? (broadcast over the normalised dims;
/// flags say which are there), outputs y and optionally mean and inverse standard deviation.
struct NormProblem {
  NormKind kind = NormKind::softmax;
  DType type = DType::f32;
  Shape shape;
  int64_t axis = 0, axes = 1;
  double epsilon = 0;
  bool has_scale = false, has_bias = false;
  Epilogue epilogue;
  static constexpr std::string_view kName = "norm";
  static constexpr auto kFields = Fields{Field{1, "kind", &NormProblem::kind},           Field{2, "type", &NormProblem::type},
                                         Field{3, "shape", &NormProblem::shape},         Field{4, "axis", &NormProblem::axis},
                                         Field{5, "axes", &NormProblem::axes},           Field{6, "epsilon", &NormProblem::epsilon},
                                         Field{7, "has_scale", &NormProblem::has_scale}, Field{8, "has_bias", &NormProblem::has_bias},
                                         Field{9, "epilogue", &NormProblem::epilogue}};
};

enum class PoolKind : uint8_t { max, average, lp };
constexpr auto enum_names(PoolKind) { return std::array<std::string_view, 3>{"max", "average", "lp"}; }
/// x [n, c, spatial] → y [n, c, out spatial] and, for max, optionally the flat i64 index of each maximum. channels_last:
/// x [n, spatial, c] → y [n, out spatial, c], without indices.
struct PoolProblem {
  PoolKind kind = PoolKind::max;
  DType type = DType::f32;
  Dim n, c;
  std::vector<Dim> in_spatial, out_spatial, pads, pads_end;
  std::vector<int64_t> kernel, strides, dilations;
  bool count_include_pad = false;
  int64_t p = 2;
  bool column_major_index = false;
  bool channels_last = false;
  Epilogue epilogue;
  static constexpr std::string_view kName = "pool";
  static constexpr auto kFields = Fields{Field{1, "kind", &PoolProblem::kind},
                                         Field{2, "type", &PoolProblem::type},
                                         Field{3, "n", &PoolProblem::n},
                                         Field{4, "c", &PoolProblem::c},
                                         Field{5, "in_spatial", &PoolProblem::in_spatial},
                                         Field{6, "out_spatial", &PoolProblem::out_spatial},
                                         Field{7, "pads", &PoolProblem::pads},
                                         Field{8, "pads_end", &PoolProblem::pads_end},
                                         Field{9, "kernel", &PoolProblem::kernel},
                                         Field{10, "strides", &PoolProblem::strides},
                                         Field{11, "dilations", &PoolProblem::dilations},
                                         Field{12, "count_include_pad", &PoolProblem::count_include_pad},
                                         Field{13, "p", &PoolProblem::p},
                                         Field{14, "column_major_index", &PoolProblem::column_major_index},
                                         Field{15, "epilogue", &PoolProblem::epilogue},
                                         Field{16, "channels_last", &PoolProblem::channels_last}};
};

/// Where rows of heads lie in an operand: element [b, h, t, i] at offset + b · strides[0] + h · strides[1] + t · strides[2] + i, in
/// elements.
struct HeadsView {
  Dim offset;
  std::vector<Dim> strides;  // three; none: dense, in the order of the dims
  static constexpr std::string_view kName = "HeadsView";
  static constexpr auto kFields = Fields{Field{1, "offset", &HeadsView::offset}, Field{2, "strides", &HeadsView::strides}};
};

/// out[b, h] = softmax(scale · q[b, h] · k[b, h']ᵀ + mask) · v[b, h'], h' = h · kv_heads / heads: q [batch, heads, tq, d],
/// k [batch, kv_heads, tk, d], v [batch, kv_heads, tk, dv] → [batch, heads, tq, dv]. Inputs: q, k, v, mask if has_mask (of any float
/// type, broadcast to [batch, heads, tq, tk]), epilogue operands. causal: query i sees keys up to i + tk - tq. Scores and sums are FP32.
/// Views: the operand is a larger tensor, such as the one product that makes q, k and v. perm: dim i of out is dim perm[i] of those above;
/// the last stays last. nan_to_zero: a row of weights that are no numbers, as of a query that sees no key, counts as zeros.
struct AttentionProblem {
  DType type = DType::f32;
  Dim batch, heads, kv_heads, tq, tk, d, dv;
  double scale = 1;
  bool causal = false, has_mask = false;
  DType mask_type = DType::f32;
  Shape mask;
  HeadsView q, k, v;
  std::vector<int64_t> perm;
  bool nan_to_zero = false;
  Epilogue epilogue;
  static constexpr std::string_view kName = "attention";
  static constexpr auto kFields = Fields{Field{1, "type", &AttentionProblem::type},
                                         Field{2, "batch", &AttentionProblem::batch},
                                         Field{3, "heads", &AttentionProblem::heads},
                                         Field{4, "kv_heads", &AttentionProblem::kv_heads},
                                         Field{5, "tq", &AttentionProblem::tq},
                                         Field{6, "tk", &AttentionProblem::tk},
                                         Field{7, "d", &AttentionProblem::d},
                                         Field{8, "dv", &AttentionProblem::dv},
                                         Field{9, "scale", &AttentionProblem::scale},
                                         Field{10, "causal", &AttentionProblem::causal},
                                         Field{11, "has_mask", &AttentionProblem::has_mask},
                                         Field{12, "mask_type", &AttentionProblem::mask_type},
                                         Field{13, "mask", &AttentionProblem::mask},
                                         Field{14, "epilogue", &AttentionProblem::epilogue},
                                         Field{15, "q", &AttentionProblem::q},
                                         Field{16, "k", &AttentionProblem::k},
                                         Field{17, "v", &AttentionProblem::v},
                                         Field{18, "perm", &AttentionProblem::perm},
                                         Field{19, "nan_to_zero", &AttentionProblem::nan_to_zero}};
  /// [batch, heads, tq, dv] in the order of out.
  std::vector<Dim> out_dims() const;
};

/// A gate of channels, squeeze-and-excitation: s[n, c] = expr(w2 · inner(w1 · mean of x[n] + b1) + b2), where the mean is over the area.
/// x [n, area…, c], w1 [m, c], w2 [c, m], b1 [m], b2 [c] → [n, 1…, c]; `spatial` dims. Sums are FP32; inner reads elements of `type`.
/// Inputs: x, w1, w2, b1, b2.
struct SqueezeExciteProblem {
  DType type = DType::f32;
  Dim n, area, c, m;
  int64_t spatial = 2;
  bool w_static = false;  // the weights are constants of the graph
  Expr inner;             // empty: none
  Epilogue epilogue;
  static constexpr std::string_view kName = "squeeze_excite";
  static constexpr auto kFields = Fields{Field{1, "type", &SqueezeExciteProblem::type},
                                         Field{2, "n", &SqueezeExciteProblem::n},
                                         Field{3, "area", &SqueezeExciteProblem::area},
                                         Field{4, "c", &SqueezeExciteProblem::c},
                                         Field{5, "m", &SqueezeExciteProblem::m},
                                         Field{6, "spatial", &SqueezeExciteProblem::spatial},
                                         Field{7, "w_static", &SqueezeExciteProblem::w_static},
                                         Field{8, "inner", &SqueezeExciteProblem::inner},
                                         Field{9, "epilogue", &SqueezeExciteProblem::epilogue}};
  std::vector<Dim> out_dims() const;
};

enum class ActivationKind : uint8_t {
  sigmoid,
  tanh,
  relu,
  affine,
  leaky_relu,
  thresholded_relu,
  scaled_tanh,
  hard_sigmoid,
  elu,
  softsign,
  softplus
};
constexpr auto enum_names(ActivationKind) {
  return std::array<std::string_view, 11>{"sigmoid",     "tanh",         "relu", "affine",   "leaky_relu", "thresholded_relu",
                                          "scaled_tanh", "hard_sigmoid", "elu",  "softsign", "softplus"};
}
/// A function of a gate or a state, as ONNX RNN-7 defines it: alpha and beta are its parameters where it has some.
struct Activation {
  ActivationKind kind = ActivationKind::tanh;
  double alpha = 0, beta = 0;
  static constexpr std::string_view kName = "Activation";
  static constexpr auto kFields =
      Fields{Field{1, "kind", &Activation::kind}, Field{2, "alpha", &Activation::alpha}, Field{3, "beta", &Activation::beta}};
};

enum class CellKind : uint8_t { rnn, gru, lstm };
constexpr auto enum_names(CellKind) { return std::array<std::string_view, 3>{"rnn", "gru", "lstm"}; }
constexpr int64_t gates_of(CellKind kind) { return kind == CellKind::lstm ? 4 : kind == CellKind::gru ? 3 : 1; }
constexpr size_t activations_of(CellKind kind) { return kind == CellKind::lstm ? 3 : kind == CellKind::gru ? 2 : 1; }

/// The steps of a recurrent layer behind the product of all inputs with W: gates [seq, batch, directions * gates * hidden] hold
/// W x + Wb + Rb, in ONNX's order of gates (iofc, zrh), r [directions, gates * hidden, hidden] → y [seq, directions, batch, hidden] and,
/// as far as they are asked for, y_h and (lstm) y_c [directions, batch, hidden]. batch_first: [batch, seq, …], [batch, directions, hidden].
/// Inputs: gates, r, then those that flags name: bias [directions, hidden] (of linear_before_reset, Rb of the last gate, which `gates`
/// lack), lengths i32 [batch], h and c [directions, batch, hidden], peepholes [directions, 3 * hidden]. Sums and states are FP32 inside.
struct RecurrentProblem {
  CellKind kind = CellKind::lstm;
  DType type = DType::f32;
  Dim seq, batch, hidden;
  int64_t directions = 1;
  bool reverse = false;  // of one direction; of two the second runs backwards
  bool batch_first = false, linear_before_reset = false, input_forget = false;
  bool has_bias = false, has_lengths = false, has_h = false, has_c = false, has_peepholes = false;
  std::vector<Activation> activations;  // of each direction: one, two (gru) or three (lstm)
  std::optional<double> clip;           // of what goes into an activation
  static constexpr std::string_view kName = "recurrent";
  static constexpr auto kFields = Fields{Field{1, "kind", &RecurrentProblem::kind},
                                         Field{2, "type", &RecurrentProblem::type},
                                         Field{3, "seq", &RecurrentProblem::seq},
                                         Field{4, "batch", &RecurrentProblem::batch},
                                         Field{5, "hidden", &RecurrentProblem::hidden},
                                         Field{6, "directions", &RecurrentProblem::directions},
                                         Field{7, "reverse", &RecurrentProblem::reverse},
                                         Field{8, "batch_first", &RecurrentProblem::batch_first},
                                         Field{9, "linear_before_reset", &RecurrentProblem::linear_before_reset},
                                         Field{10, "input_forget", &RecurrentProblem::input_forget},
                                         Field{11, "has_bias", &RecurrentProblem::has_bias},
                                         Field{12, "has_lengths", &RecurrentProblem::has_lengths},
                                         Field{13, "has_h", &RecurrentProblem::has_h},
                                         Field{14, "has_c", &RecurrentProblem::has_c},
                                         Field{15, "has_peepholes", &RecurrentProblem::has_peepholes},
                                         Field{16, "activations", &RecurrentProblem::activations},
                                         Field{17, "clip", &RecurrentProblem::clip}};
};

}  // namespace tenon::engine
