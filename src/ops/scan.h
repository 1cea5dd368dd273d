// Scan: states, scan inputs, captures → final states, scan outputs. The body sees one slice of each scan input per step:
// states, slices, captures → states, slices of the scan outputs.
#pragma once
#include "ops/row.h"

namespace tenon::ops {

struct Scan {
  int64_t num_scan_inputs = 1;
  int64_t captures = 0;                        // count of trailing inputs
  std::vector<int64_t> scan_input_axes;        // empty: 0
  std::vector<int64_t> scan_input_directions;  // 1: from the end; empty: 0
  std::vector<int64_t> scan_output_axes;
  std::vector<int64_t> scan_output_directions;  // 1: prepend
  static constexpr std::string_view kName = "Scan";
  static constexpr OpTraits kTraits{.has_regions = true};
  static constexpr auto kFields =
      Fields{Field{1, "num_scan_inputs", &Scan::num_scan_inputs},   Field{2, "captures", &Scan::captures},
             Field{3, "scan_input_axes", &Scan::scan_input_axes},   Field{4, "scan_input_directions", &Scan::scan_input_directions},
             Field{5, "scan_output_axes", &Scan::scan_output_axes}, Field{6, "scan_output_directions", &Scan::scan_output_directions}};
};
Result<Facts> infer(const Scan& op, std::span<const Fact> in, InferCtx& ctx);

}  // namespace tenon::ops
