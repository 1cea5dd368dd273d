// join_pixels: a convolution of 16-bit floats that reads an image of few channels, a model's first, reads them padded to vectors of 16
// bytes. Neighbours that its stride joins are one pixel of more channels, so that a window of 7 pixels of 3 channels, two of which are a
// stride, is one of 4 pixels of 8. The Transpose in front of it writes the image so, and rounds it. Behind use_channels_last and
// lower_precision.
#include "ops/join_pixels.h"
#include "ir/rewriter.h"
#include "ops/conv.h"
#include "ops/pad.h"
#include "ops/reshape.h"
#include "ops/transpose.h"
#include "passes/one_function.h"
#include "passes/passes.h"

namespace tenon::passes {
namespace {

using ir::Node;
using ir::Rewriter;
using ir::ValueId;
using ir::Values;

constexpr int64_t kVector = 8;      // elements of 16 bytes
constexpr int64_t kMostTimes = 3;   // times the products of the convolution as it was
const Dims kLastOrder{0, 2, 3, 1};  // [n, c, h, w] → [n, h, w, c]

bool is_taken(DType type) { return type == DType::f32 || type == DType::f16 || type == DType::bf16; }

/// The image [n, c, h, w] that is transposed, and rounded before or behind, for the convolution alone.
ValueId image_of(Rewriter& rw, ValueId id) {
  bool transposed = false, rounded = false;
  while (rw.uses(id) == 1) {
    const Node* node = rw.producer<ops::Transpose>(id);
    if (node && !transposed && node->op.as<ops::Transpose>()->perm == kLastOrder) {
      id = node->in[0];
      transposed = true;
      continue;
    }
    const auto function = one_function(rw, id);
    if (rounded || !function || function->fn != Fn::cast || !is_taken(rw.fact(function->args[0].value).dtype())) break;
    id = function->args[0].value;
    rounded = true;
  }
  return transposed && is_taken(rw.fact(id).dtype()) ? id : ValueId::none;
}

/// w [m, height, width, c] for joined pixels.
ValueId joined_weights(Rewriter& rw, ValueId w, int64_t width, int64_t pixels, int64_t channels) {
  const Shape shape = rw.fact(w).shape();
  const int64_t more_pixels = width * pixels - *shape[2].constant(), more_channels = channels - *shape[3].constant();
  const ValueId pads = rw.constant(int64_tensor({0, 0, 0, 0, 0, 0, more_pixels, more_channels}));
  const ValueId padded = more_pixels + more_channels > 0 ? rw.emit(ops::Pad{}, {w, pads})[0] : w;
  return rw.emit(ops::Reshape{.shape = std::vector<Dim>{shape[0], shape[1], width, pixels * channels}}, {padded})[0];
}

std::optional<Values> join(Rewriter& rw, const Node& node) {
  ops::Conv conv = *node.op.as<ops::Conv>();
  const Fact &x = rw.fact(node.in[0]), &w = rw.fact(node.in[1]);
  if (!conv.channels_last || conv.groups != 1 || !x.has_rank() || x.rank() != 4 || !w.has_rank() || !rw.is_weight(node.in[1]))
    return std::nullopt;
  const DType type = x.dtype();
  const auto c = x.shape()[3].constant(), width = w.shape()[2].constant();
  if ((type != DType::f16 && type != DType::bf16) || !c || *c < 1 || *c % kVector == 0) return std::nullopt;
  if (!width || *width < 1 || w.shape()[3].constant() != c) return std::nullopt;
  const std::span<const Dim> kernel = ops::spatial_of(w.shape(), true);
  const auto slide = ops::slide({.kernel = {kernel.begin(), kernel.end()},
                                 .strides = conv.strides,
                                 .dilations = conv.dilations,
                                 .pads = conv.pads,
                                 .auto_pad = conv.auto_pad},
                                ops::spatial_of(x.shape(), true));
  if (!slide.ok() || slide->dilations[1] != 1) return std::nullopt;
  std::vector<int64_t> pads;
  for (const Dim& pad : {slide->pads_begin[0], slide->pads_begin[1], slide->pads_end[0], slide->pads_end[1]})
    if (const auto number = pad.constant()) pads.push_back(*number);
  const int64_t pixels = slide->strides[1], joined = (*width + pixels - 1) / pixels;
  int64_t channels = *c;
  while (pixels * channels % kVector != 0) ++channels;
  if (pads.size() != 4 || pads[1] < 0 || joined * pixels * channels > kMostTimes * *width * *c) return std::nullopt;
  const ValueId image = image_of(rw, node.in[0]);
  if (image == ValueId::none) return std::nullopt;

  ops::JoinPixels join{.channels = channels, .pixels = pixels, .before = pads[1]};
  join.after = pads[3] - *width + joined * pixels;  // a joined pixel for each window, and those of the last one
  if (rw.fact(image).dtype() != type) join.to = type;
  conv.strides = {slide->strides[0], 1};
  conv.pads = {pads[0], 0, pads[2], 0};
  conv.auto_pad = ops::AutoPad::notset;
  const Shape result = rw.fact(node.out[0]).shape();
  Values in = node.in;
  in[0] = rw.emit(join, {image})[0];
  in[1] = joined_weights(rw, node.in[1], joined, pixels, channels);
  Values out = rw.emit(std::move(conv), std::move(in), {.epilogue = node.epilogue, .math = node.math});
  if (out[0] == ValueId::none || !(rw.fact(out[0]).shape() == result)) return std::nullopt;
  return out;
}

}  // namespace

Result<bool> join_pixels(ir::Module& module, const PassCtx& ctx) {
  if (!ctx.channels_last) return false;
  bool changed = false;
  for (const ir::GraphId id : ir::live_graphs(module)) {
    TENON_TRY(one, Rewriter(module, id).sweep([&](Rewriter& rw, const Node& node) -> std::optional<Values> {
      if (!node.op.as<ops::Conv>()) return std::nullopt;
      auto joined = join(rw, node);
      if (joined && ctx.wants_device && !ctx.wants_device(*rw.maker_of((*joined)[0]), rw.graph())) return std::nullopt;
      return joined;
    }));
    changed = changed || one;
  }
  return changed;
}

}  // namespace tenon::passes
