// DeviceFacts: what the builder knows of a device without having one. Texts of known devices lie in devices/*.txt.
#pragma once
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

}  // namespace tenon::engine
