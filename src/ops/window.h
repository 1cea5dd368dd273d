// Windows that slide over spatial dims: what convolutions and pools share.
#pragma once
#include <array>
#include <span>

#include "tensor/shape.h"

namespace tenon::ops {

enum class AutoPad : uint8_t { notset, same_upper, same_lower, valid };
constexpr auto enum_names(AutoPad) { return std::array<std::string_view, 4>{"notset", "same_upper", "same_lower", "valid"}; }

struct Window {
  std::vector<Dim> kernel;
  std::vector<int64_t> strides, dilations, pads;  // empty: 1, 1, 0; pads: begins, then ends
  AutoPad auto_pad = AutoPad::notset;
  bool ceil_mode = false;
};
/// Numbers for every spatial dim.
struct Slide {
  std::vector<Dim> out, pads_begin, pads_end;
  std::vector<int64_t> strides, dilations;
};
/// Output sizes by the formulas of ONNX Conv and MaxPool. `spatial`: the input's. Errors: lists of another length, values below 1.
Result<Slide> slide(const Window& window, std::span<const Dim> spatial);

/// Of an x or w with two dims beside the spatial ones.
std::span<const Dim> spatial_of(const Shape& shape, bool channels_last);
/// The dim of the channels of an x, of what the channels of a w are grouped by.
inline int64_t channel_axis(const Shape& shape, bool channels_last) { return channels_last ? shape.rank() - 1 : 1; }
/// [n, spatial..., c] or [n, c, spatial...].
Shape laid_out(const Dim& n, const Dim& c, std::span<const Dim> spatial, bool channels_last);

/// "X must be [N, C, spatial...], got [64, 3]" for ranks below 3.
Result<void> check_spatial(const Shape& x, std::string_view name);

}  // namespace tenon::ops
