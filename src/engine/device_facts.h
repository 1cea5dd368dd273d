// DeviceFacts: what the builder knows of a device without having one. Texts of known devices lie in devices/*.txt.
#pragma once
#include <charconv>

#include "base/fields.h"

namespace tenon::engine {

struct DeviceFacts {
  std::string name = "host";
  std::string arch;               // "sm_90"; empty: no code modules
  int64_t units = 1;              // multiprocessors, or cores
  int64_t shared_bytes = 0;       // a block may use
  int64_t unit_shared_bytes = 0;  // of a multiprocessor
  int64_t unit_registers = 0;     // 32 bits each
  int64_t unit_threads = 0;
  int64_t l2_bytes = 0;
  double memory_bytes_per_us = 0;  // measured copy, read plus write
  double l2_bytes_per_us = 0;
  double f32_flops_per_us = 0, f16_flops_per_us = 0;  // f16: tensor cores, 32-bit sums
  double launch_us = 0;                               // a dependent launch after another in a graph
  static constexpr std::string_view kName = "DeviceFacts";
  static constexpr auto kFields = Fields{Field{1, "name", &DeviceFacts::name},
                                         Field{2, "arch", &DeviceFacts::arch},
                                         Field{3, "units", &DeviceFacts::units},
                                         Field{4, "shared_bytes", &DeviceFacts::shared_bytes},
                                         Field{5, "unit_shared_bytes", &DeviceFacts::unit_shared_bytes},
                                         Field{6, "unit_registers", &DeviceFacts::unit_registers},
                                         Field{7, "unit_threads", &DeviceFacts::unit_threads},
                                         Field{8, "l2_bytes", &DeviceFacts::l2_bytes},
                                         Field{9, "memory_bytes_per_us", &DeviceFacts::memory_bytes_per_us},
                                         Field{10, "l2_bytes_per_us", &DeviceFacts::l2_bytes_per_us},
                                         Field{11, "f32_flops_per_us", &DeviceFacts::f32_flops_per_us},
                                         Field{12, "f16_flops_per_us", &DeviceFacts::f16_flops_per_us},
                                         Field{13, "launch_us", &DeviceFacts::launch_us}};
};

/// A launch of more blocks of each multiprocessor is never dependent: those that came early would hold the places of those they wait for.
/// Where only a run knows the grid, the run decides (Launch::most_blocks).
constexpr int64_t kDependentBlocksPerUnit = 4;

/// "compute_80": PTX, which a driver compiles for the GPU that it finds. "sm_90": code for that one architecture.
inline bool is_ptx(std::string_view arch) { return arch.starts_with("compute_"); }
/// 90 of "sm_90"; 0: it names no compute capability.
inline int64_t capability_of(std::string_view arch) {
  int64_t out = 0;
  const size_t at = arch.find('_');
  if (at != std::string_view::npos) std::from_chars(arch.data() + at + 1, arch.data() + arch.size(), out);
  return out;
}
/// Dependent launches and clusters came with compute capability 9.0. PTX has neither, so that older GPUs take it.
inline bool has_dependent_launch(std::string_view arch) { return !is_ptx(arch) && capability_of(arch) >= 90; }
inline bool has_clusters(std::string_view arch) { return has_dependent_launch(arch); }
/// Whether code for `arch` runs on a GPU of the architecture `gpu`.
inline bool runs_on(std::string_view arch, std::string_view gpu) {
  return arch == gpu || (is_ptx(arch) && capability_of(gpu) >= capability_of(arch));
}

}  // namespace tenon::engine
