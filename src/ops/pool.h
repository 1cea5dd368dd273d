// Pool: x [N, C, spatial...] → the maximum, average or p-norm of each window, and for max optionally the index of each maximum.
// channels_last: x [N, spatial..., C], without indices.
#pragma once
#include "ops/row.h"
#include "ops/window.h"

namespace tenon::ops {

struct Pool {
  engine::PoolKind kind = engine::PoolKind::max;
  std::vector<int64_t> kernel, strides, dilations, pads;
  AutoPad auto_pad = AutoPad::notset;
  bool ceil_mode = false, count_include_pad = false;
  int64_t p = 2;
  bool column_major_index = false;
  bool channels_last = false;
  static constexpr std::string_view kName = "Pool";
  static constexpr auto kFields = Fields{Field{1, "kind", &Pool::kind},
                                         Field{2, "kernel", &Pool::kernel},
                                         Field{3, "strides", &Pool::strides},
                                         Field{4, "dilations", &Pool::dilations},
                                         Field{5, "pads", &Pool::pads},
                                         Field{6, "auto_pad", &Pool::auto_pad},
                                         Field{7, "ceil_mode", &Pool::ceil_mode},
                                         Field{8, "count_include_pad", &Pool::count_include_pad},
                                         Field{9, "p", &Pool::p},
                                         Field{10, "column_major_index", &Pool::column_major_index},
                                         Field{11, "channels_last", &Pool::channels_last}};
  static constexpr OpTraits kTraits = {.anchor = true};
};
Result<Facts> infer(const Pool& op, std::span<const Fact> in, InferCtx& ctx);
Result<engine::Problem> problem(const Pool& op, std::span<const Fact> in, std::span<const Fact> out);

}  // namespace tenon::ops
