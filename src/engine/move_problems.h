// Problems that move elements: copies, gathers and scatters, sorting, resampling; what follows from sizes.
#pragma once
#include "engine/compute_problems.h"

namespace tenon::engine {

/// out[i] = in[offset + sum_d i_d · strides_d], in elements: transposes, slices with any step, expansion. out is dense, of `shape`.
struct CopyProblem {
  DType type = DType::f32;
  Shape shape;
  Dim offset;
  std::vector<Dim> strides;
  static constexpr std::string_view kName = "copy";
  static constexpr auto kFields = Fields{Field{1, "type", &CopyProblem::type}, Field{2, "shape", &CopyProblem::shape},
                                         Field{3, "offset", &CopyProblem::offset}, Field{4, "strides", &CopyProblem::strides}};
};

/// Integers that follow from sizes alone, without an input: out[i] = values[i], and behind them last + step, last + 2 step, …
struct SeriesProblem {
  DType type = DType::i64;
  Shape shape;
  std::vector<Dim> values;  // at least one
  Dim step;
  static constexpr std::string_view kName = "series";
  static constexpr auto kFields = Fields{Field{1, "type", &SeriesProblem::type}, Field{2, "shape", &SeriesProblem::shape},
                                         Field{3, "values", &SeriesProblem::values}, Field{4, "step", &SeriesProblem::step}};
};

/// What becomes of a coordinate that lies outside of [0, size): none lies there; the fill element stands in its place; the nearest inside;
/// mirrored at the first and last; modulo size.
enum class Outside : uint8_t { never, fill, edge, reflect, wrap };
constexpr auto enum_names(Outside) { return std::array<std::string_view, 5>{"never", "fill", "edge", "reflect", "wrap"}; }

/// A coordinate of the source that is more than a stride: start + sum_d i_d · steps_d, or, with indices, the element of that input which
/// lies there (negative: from the end; it has to be inside).
struct IndexTerm {
  Dim start;
  std::vector<Dim> steps;
  int64_t indices = -1;  // an input
  Outside outside = Outside::never;
  Dim size, stride;  // of the source's dim; the stride in elements
  static constexpr std::string_view kName = "IndexTerm";
  static constexpr auto kFields =
      Fields{Field{1, "start", &IndexTerm::start},     Field{2, "steps", &IndexTerm::steps}, Field{3, "indices", &IndexTerm::indices},
             Field{4, "outside", &IndexTerm::outside}, Field{5, "size", &IndexTerm::size},   Field{6, "stride", &IndexTerm::stride}};
};
/// out[i] = source[offset + sum_d i_d · strides_d + sum of coordinates · their strides], i counted from the piece's first along the axis.
struct IndexPiece {
  int64_t source = 0;  // an input
  Dim first, offset;
  std::vector<Dim> strides;
  std::vector<IndexTerm> terms;
  static constexpr std::string_view kName = "IndexPiece";
  static constexpr auto kFields =
      Fields{Field{1, "source", &IndexPiece::source}, Field{2, "first", &IndexPiece::first}, Field{3, "offset", &IndexPiece::offset},
             Field{4, "strides", &IndexPiece::strides}, Field{5, "terms", &IndexPiece::terms}};
};
/// Elements moved to where index expressions say: gathers, concatenations, padding, repetition. The pieces follow each other along the
/// axis, each up to where the next begins. out is dense, of `shape`; its elements are rounded to `to`. Inputs that no piece, no indices and
/// no fill name are not read.
struct IndexProblem {
  DType type = DType::f32, index_type = DType::i64;
  Shape shape;
  int64_t axis = 0;
  std::vector<IndexPiece> pieces;
  int64_t fill = -1;         // an input of one element; -1: zero
  std::vector<Dim> agree;    // pairs of sizes that have to be equal in a run
  std::vector<Dim> at_most;  // pairs of sizes of which the first may not exceed the second
  DType to = DType::none;    // the result's type; none: as the elements; another: both are floats, and there is no fill element
  static constexpr std::string_view kName = "index";
  static constexpr auto kFields = Fields{
      Field{1, "type", &IndexProblem::type},   Field{2, "index_type", &IndexProblem::index_type}, Field{3, "shape", &IndexProblem::shape},
      Field{4, "axis", &IndexProblem::axis},   Field{5, "pieces", &IndexProblem::pieces},         Field{6, "fill", &IndexProblem::fill},
      Field{7, "agree", &IndexProblem::agree}, Field{8, "at_most", &IndexProblem::at_most},       Field{9, "to", &IndexProblem::to}};
};

enum class ScatterReduction : uint8_t { none, add, mul, max, min };
constexpr auto enum_names(ScatterReduction) { return std::array<std::string_view, 5>{"none", "add", "mul", "max", "min"}; }
/// out = data with updates put or combined where index expressions say, one after the other: element u of the updates, which are dense and
/// of `shape`, belongs at out[sum_d u_d · strides_d + sum of coordinates · their strides]. Numbers are combined in FP32, FP64 or 64-bit
/// integers and rounded once. Inputs: data of the shape of out, indices (of all terms), updates.
struct ScatterProblem {
  DType type = DType::f32, index_type = DType::i64;
  ScatterReduction reduction = ScatterReduction::none;
  Shape out, shape;
  std::vector<Dim> strides;
  std::vector<IndexTerm> terms;
  bool apart = false;               // what belongs to u_0 lies in out[u_0 · strides_0, (u_0 + 1) · strides_0)
  std::vector<Dim> agree, at_most;  // as in IndexProblem
  static constexpr std::string_view kName = "scatter";
  static constexpr auto kFields =
      Fields{Field{1, "type", &ScatterProblem::type},           Field{2, "index_type", &ScatterProblem::index_type},
             Field{3, "reduction", &ScatterProblem::reduction}, Field{4, "out", &ScatterProblem::out},
             Field{5, "shape", &ScatterProblem::shape},         Field{6, "strides", &ScatterProblem::strides},
             Field{7, "terms", &ScatterProblem::terms},         Field{8, "apart", &ScatterProblem::apart},
             Field{9, "agree", &ScatterProblem::agree},         Field{10, "at_most", &ScatterProblem::at_most}};
};

/// The k largest (else smallest) elements along `axis`, best first, and, if asked for, their i64 positions. Of equal ones the first comes
/// first; NaN counts as the largest number.
struct TopKProblem {
  DType type = DType::f32;
  Shape shape;
  int64_t axis = 0;
  Dim k;
  bool largest = true;
  static constexpr std::string_view kName = "top_k";
  static constexpr auto kFields =
      Fields{Field{1, "type", &TopKProblem::type}, Field{2, "shape", &TopKProblem::shape}, Field{3, "axis", &TopKProblem::axis},
             Field{4, "k", &TopKProblem::k}, Field{5, "largest", &TopKProblem::largest}};
  /// With k along the axis.
  Shape out_shape() const;
};

/// out[i] = x[0] + … + x[i] along `axis`, or their product. exclusive: without x[i]; reverse: from the end.
struct CumulativeProblem {
  DType type = DType::f32;
  Shape shape;
  int64_t axis = 0;
  bool exclusive = false, reverse = false, product = false;
  static constexpr std::string_view kName = "cumulative";
  static constexpr auto kFields =
      Fields{Field{1, "type", &CumulativeProblem::type},       Field{2, "shape", &CumulativeProblem::shape},
             Field{3, "axis", &CumulativeProblem::axis},       Field{4, "exclusive", &CumulativeProblem::exclusive},
             Field{5, "reverse", &CumulativeProblem::reverse}, Field{6, "product", &CumulativeProblem::product}};
};

enum class ResizeMode : uint8_t { nearest, linear, cubic };
constexpr auto enum_names(ResizeMode) { return std::array<std::string_view, 3>{"nearest", "linear", "cubic"}; }
enum class CoordinateTransform : uint8_t {
  half_pixel,
  half_pixel_symmetric,
  pytorch_half_pixel,
  align_corners,
  asymmetric,
  tf_half_pixel_for_nn,
  tf_crop_and_resize
};
constexpr auto enum_names(CoordinateTransform) {
  return std::array<std::string_view, 7>{"half_pixel", "half_pixel_symmetric", "pytorch_half_pixel", "align_corners",
                                         "asymmetric", "tf_half_pixel_for_nn", "tf_crop_and_resize"};
}
enum class NearestMode : uint8_t { round_prefer_floor, round_prefer_ceil, floor, ceil };
constexpr auto enum_names(NearestMode) {
  return std::array<std::string_view, 4>{"round_prefer_floor", "round_prefer_ceil", "floor", "ceil"};
}
/// ONNX Resize-19, along every dim: x of shape `in` → `out`. scales: of each dim, 0: out / in. by_sizes: the length before rounding is
/// that of out, else scale · in. roi: begins, then ends (tf_crop_and_resize).
struct ResizeProblem {
  DType type = DType::f32;
  Shape in, out;
  std::vector<double> scales;
  bool by_sizes = false;
  ResizeMode mode = ResizeMode::nearest;
  CoordinateTransform coordinate_transform = CoordinateTransform::half_pixel;
  NearestMode nearest_mode = NearestMode::round_prefer_floor;
  bool antialias = false, exclude_outside = false;
  double cubic_coeff_a = -0.75, extrapolation_value = 0;
  std::vector<double> roi;
  static constexpr std::string_view kName = "resize";
  static constexpr auto kFields = Fields{Field{1, "type", &ResizeProblem::type},
                                         Field{2, "in", &ResizeProblem::in},
                                         Field{3, "out", &ResizeProblem::out},
                                         Field{4, "scales", &ResizeProblem::scales},
                                         Field{5, "by_sizes", &ResizeProblem::by_sizes},
                                         Field{6, "mode", &ResizeProblem::mode},
                                         Field{7, "coordinate_transform", &ResizeProblem::coordinate_transform},
                                         Field{8, "nearest_mode", &ResizeProblem::nearest_mode},
                                         Field{9, "antialias", &ResizeProblem::antialias},
                                         Field{10, "exclude_outside", &ResizeProblem::exclude_outside},
                                         Field{11, "cubic_coeff_a", &ResizeProblem::cubic_coeff_a},
                                         Field{12, "extrapolation_value", &ResizeProblem::extrapolation_value},
                                         Field{13, "roi", &ResizeProblem::roi}};
};

enum class GridMode : uint8_t { nearest, linear, cubic };
constexpr auto enum_names(GridMode) { return std::array<std::string_view, 3>{"nearest", "linear", "cubic"}; }
enum class GridPadding : uint8_t { zeros, border, reflection };
constexpr auto enum_names(GridPadding) { return std::array<std::string_view, 3>{"zeros", "border", "reflection"}; }
/// ONNX GridSample-22: x [n, c, in_spatial] read at the points of grid [n, out_spatial, coordinates] → [n, c, out_spatial].
/// align_corners: -1 and 1 are the centres of the outer elements, not their far edges.
struct GridSampleProblem {
  DType type = DType::f32, grid_type = DType::f32;
  Dim n, c;
  std::vector<Dim> in_spatial, out_spatial;
  GridMode mode = GridMode::linear;
  GridPadding padding = GridPadding::zeros;
  bool align_corners = false;
  static constexpr std::string_view kName = "grid_sample";
  static constexpr auto kFields = Fields{Field{1, "type", &GridSampleProblem::type},
                                         Field{2, "grid_type", &GridSampleProblem::grid_type},
                                         Field{3, "n", &GridSampleProblem::n},
                                         Field{4, "c", &GridSampleProblem::c},
                                         Field{5, "in_spatial", &GridSampleProblem::in_spatial},
                                         Field{6, "out_spatial", &GridSampleProblem::out_spatial},
                                         Field{7, "mode", &GridSampleProblem::mode},
                                         Field{8, "padding", &GridSampleProblem::padding},
                                         Field{9, "align_corners", &GridSampleProblem::align_corners}};
};

/// The same bytes in another memory space.
struct TransferProblem {
  Dim bytes;
  static constexpr std::string_view kName = "transfer";
  static constexpr auto kFields = Fields{Field{1, "bytes", &TransferProblem::bytes}};
};

/// An operator that is no kind of its own, or whose ranks are unknown: the reference library runs it by name.
struct ReferenceProblem {
  std::string op;
  Bytes attributes;  // the op's fields in tagged form
  Epilogue epilogue;
  static constexpr std::string_view kName = "reference";
  static constexpr auto kFields = Fields{Field{1, "op", &ReferenceProblem::op}, Field{2, "attributes", &ReferenceProblem::attributes},
                                         Field{3, "epilogue", &ReferenceProblem::epilogue}};
};

}  // namespace tenon::engine
