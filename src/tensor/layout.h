// Layout: how a value lies in memory. IR shapes stay as ONNX says them; a layout is invisible to shape inference.
#pragma once
#include "base/fields.h"

namespace tenon {

struct Layout {
  std::vector<int64_t> order;  // memory order of the dims, outermost first; empty: as the shape says
  int64_t pad_axis = -1;       // the dim that is padded with zeros in memory
  int64_t pad_multiple = 1;    // to a multiple of this many elements
  static constexpr std::string_view kName = "Layout";
  static constexpr auto kFields =
      Fields{Field{1, "order", &Layout::order}, Field{2, "pad_axis", &Layout::pad_axis}, Field{3, "pad_multiple", &Layout::pad_multiple}};
};

}  // namespace tenon
