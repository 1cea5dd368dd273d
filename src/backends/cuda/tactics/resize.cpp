// Interpolation along any dims. A thread computes a vector along the last dim where that one keeps its size (channels last), else one
// element; each resized dim gives its places and weights once, their products weigh the elements read.
#include <algorithm>

#include "backends/cuda/tactics/expr_text.h"
#include "backends/cuda/tactics/index_text.h"
#include "backends/cuda/tactics/tactics.h"

namespace tenon::cuda {
namespace {

using engine::CoordinateTransform;
using engine::ResizeMode;
using engine::ResizeProblem;

constexpr int64_t kResizeThreads = 256, kMostResizeTaps = 64;

bool crops(const ResizeProblem& p) { return p.coordinate_transform == CoordinateTransform::tf_crop_and_resize; }

/// Whether every element along dim d comes from the same place.
bool keeps(const ResizeProblem& p, size_t d) {
  if (!(p.in.dims()[d] == p.out.dims()[d]) || (p.scales[d] != 1 && p.scales[d] != 0)) return false;
  if (crops(p)) return p.roi[d] == 0 && p.roi[p.scales.size() + d] == 1;
  return p.coordinate_transform != CoordinateTransform::tf_half_pixel_for_nn;
}

int64_t taps_of(const ResizeProblem& p) { return p.mode == ResizeMode::nearest ? 1 : p.mode == ResizeMode::linear ? 2 : 4; }

engine::Verdict supports_resize(const engine::Problem& problem, const engine::DeviceFacts&) {
  const auto* p = problem.as<ResizeProblem>();
  if (!p) return engine::no(kOtherKind);
  const size_t rank = p->scales.size();
  if (!p->in.has_rank() || !p->out.has_rank() || p->in.dims().size() != rank || p->out.dims().size() != rank)
    return engine::no("the rank is not known");
  if (crops(*p) && p->roi.size() != 2 * rank) return engine::no("the region is not known");
  if (p->antialias && p->mode != ResizeMode::nearest) return engine::no("filters whose length hangs on the scale are not taken");
  if (p->mode == ResizeMode::nearest ? bits_of(p->type) < 8 || is_complex(p->type)
                                     : compute_type(p->type) != "float" && p->type != DType::f64)
    return engine::no("no kernel interpolates elements of that type");
  int64_t taps = 1;
  for (size_t d = 0; d < rank; ++d) {
    if (keeps(*p, d)) continue;
    taps *= taps_of(*p);
    if (taps > kMostResizeTaps) return engine::no("too many dims change");
  }
  return {};
}

std::string double_text(double value) {
  std::string out = strf("{:.17g}", value);
  return out.find_first_of(".en") == std::string::npos ? out + ".0" : out;
}

class ResizeText {
 public:
  explicit ResizeText(const ResizeProblem& p) : p_(p), w_(1, 1) {
    // Dims that keep their size join their neighbours.
    Dim stride(1);
    for (size_t d = p.scales.size(); d-- > 0; stride = stride * p.in.dims()[d]) {
      const bool resized = !keeps(p, d);
      if (!resized && !axes_.empty() && !axes_.front().resized) {
        axes_.front().out = axes_.front().out * p.out.dims()[d];
        continue;
      }
      axes_.insert(axes_.begin(), Axis{d, resized, p.out.dims()[d], stride});
    }
    bytes_ = bits_of(p.type) / 8;
    if (!axes_.empty() && !axes_.back().resized)
      while (bytes_ * width_ < 16 && exact_div(axes_.back().out, Dim(2 * width_))) width_ *= 2;
    if (width_ > 1) axes_.back().out = *exact_div(axes_.back().out, Dim(width_));
  }

  engine::Kernel build(const tune::BuildCtx& ctx) {
    std::vector<Dim> dims;
    for (const Axis& axis : axes_) dims.push_back(axis.out);
    const Dim count = Shape(dims).elems();
    w_.line("const {} i = {}(blockIdx.x) * {} + threadIdx.x;", index_type(count), index_type(count), kResizeThreads);
    w_.line("trigger(); wait();");
    w_.line("if (i >= {}) return;", w_.size(count));
    w_.raw(split_text(w_, dims, "i", "c"));
    std::string base = "0", outside;
    for (size_t k = 0; k < axes_.size(); ++k) {
      const Axis& axis = axes_[k];
      if (!axis.resized) {
        const Dim step = k + 1 == axes_.size() ? axis.stride * Dim(width_) : axis.stride;
        base += strf(" + i64(c{}) * {}", k, w_.size(step));
        continue;
      }
      axis_text(k, outside);
    }
    if (crops(p_)) w_.line("const bool outside = {};", outside.empty() ? "false" : outside);
    if (p_.mode == ResizeMode::nearest) {
      move(base);
    } else {
      interpolate(base);
    }
    const Dim grid = some_blocks(count, kResizeThreads);
    return w_.finish(ctx, {.grid = {grid}, .threads = kResizeThreads, .mode = mode_of(ctx, grid)});
  }

 private:
  struct Axis {
    size_t dim;
    bool resized;
    Dim out, stride;
  };

  /// o<k>: where the axis reads, in elements; w<k>: with what weights.
  void axis_text(size_t k, std::string& outside) {
    const Axis& axis = axes_[k];
    const std::string in = w_.size(p_.in.dims()[axis.dim]), out = w_.size(p_.out.dims()[axis.dim]);
    const double given = p_.scales[axis.dim];
    const std::string scale = given != 0 ? double_text(given) : strf("double({}) / double({})", out, in);
    const std::string length = p_.by_sizes ? strf("double({})", out) : strf("{} * double({})", scale, in);
    const double from = crops(p_) ? p_.roi[axis.dim] : 0, to = crops(p_) ? p_.roi[p_.scales.size() + axis.dim] : 1;
    w_.line("const resize::Axis a{} = {{{}, {}, {}, double({}), {}, {}}};", k, in, scale, length, out, double_text(from), double_text(to));
    w_.line("const double f{} = resize::source<{}>(a{}, double(c{}));", k, static_cast<int>(p_.coordinate_transform), k, k);
    if (crops(p_)) outside += strf("{}f{} < 0 || f{} > double({} - 1)", outside.empty() ? "" : " || ", k, k, in);
    const int64_t taps = taps_of(p_);
    if (p_.mode == ResizeMode::nearest) {
      w_.line("const i64 o{} = resize::nearest<{}>(f{}, {}) * {};", k, static_cast<int>(p_.nearest_mode), k, in, w_.size(axis.stride));
      return;
    }
    w_.line("i64 o{}[{}];", k, taps);
    w_.line("{} w{}[{}];", compute_type(p_.type), k, taps);
    w_.line("resize::taps<{}, {}>(f{}, {}, {}, o{}, w{});", taps, p_.exclude_outside ? "true" : "false", k, in,
            double_text(p_.cubic_coeff_a), k, k);
  }

  void move(const std::string& base) {
    const std::string type = strf("u{}", 8 * bytes_);
    std::string at = base;
    for (size_t k = 0; k < axes_.size(); ++k)
      if (axes_[k].resized) at += strf(" + o{}", k);
    w_.line("Pack<{}, {}> y = load<{}, {}>(p.in0, {});", type, width_, type, width_, at);
    if (crops(p_)) {
      const Tensor value = scalar_tensor(p_.type, p_.extrapolation_value);
      uint64_t bits = 0;
      for (int64_t b = bytes_; b-- > 0;) bits = bits << 8 | std::to_integer<uint64_t>(value.data[b]);
      w_.line("for (int v = 0; v < {}; ++v) if (outside) y.v[v] = {}({}ull);", width_, type, bits);
    }
    w_.line("store(p.out0, i64(i) * {}, y);", width_);
  }

  void interpolate(const std::string& base) {
    const std::string_view type = storage_type(p_.type), wide = compute_type(p_.type);
    std::string at = base, weight, close;
    w_.line("{} sum[{}] = {{}};", wide, width_);
    for (size_t k = 0; k < axes_.size(); ++k) {
      if (!axes_[k].resized) continue;
      w_.raw("#pragma unroll\n");
      w_.line("for (int k{} = 0; k{} < {}; ++k{}) {{", k, k, taps_of(p_), k);
      at += strf(" + o{}[k{}] * {}", k, k, w_.size(axes_[k].stride));
      weight += strf("{}w{}[k{}]", weight.empty() ? "" : " * ", k, k);
      close += "}";
    }
    w_.line("const Pack<{}, {}> x = load<{}, {}>(p.in0, {});", type, width_, type, width_, at);
    w_.line("const {} weight = {};", wide, weight.empty() ? "1" : weight);
    w_.raw("#pragma unroll\n");
    w_.line("for (int v = 0; v < {}; ++v) sum[v] += weight * {};", width_, loaded(p_.type, "x.v[v]"));
    w_.line("{}", close);
    w_.line("Pack<{}, {}> y;", type, width_);
    w_.raw("#pragma unroll\n");
    const std::string result = crops(p_) ? strf("outside ? {}({}) : sum[v]", wide, double_text(p_.extrapolation_value)) : "sum[v]";
    w_.line("for (int v = 0; v < {}; ++v) y.v[v] = {};", width_, stored(p_.type, result));
    w_.line("store(p.out0, i64(i) * {}, y);", width_);
  }

  const ResizeProblem& p_;
  KernelWriter w_;
  std::vector<Axis> axes_;
  int64_t width_ = 1, bytes_ = 1;
};

Result<engine::Kernel> build_resize(const engine::Problem& problem, const tune::BuildCtx& ctx) {
  return ResizeText(*problem.as<ResizeProblem>()).build(ctx);
}

}  // namespace

tune::Tactic resize() { return {"resize", supports_resize, build_resize}; }

}  // namespace tenon::cuda
