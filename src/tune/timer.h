// Times kernels on a device that is there: each in a chain of launches within a graph, with the attributes that an engine launches it with,
// weights that change from launch to launch, all candidates in turns.
#pragma once
#include <span>

#include "base/log.h"
#include "engine/device.h"
#include "tune/code_store.h"

namespace tenon::tune {

/// An operand's size in bytes, whether it is a weight, and what is in it.
struct TimedOperand {
  int64_t bytes = 0;
  bool is_weight = false;
  const std::byte* data = nullptr;  // null: small random numbers
};

struct TimedKernel {
  const engine::Kernel* kernel = nullptr;
  std::vector<const CompiledKernel*> code;  // of each launch
};

/// Microseconds of each candidate; infinite where the device refuses to launch it. `operands`: inputs, then outputs; `values`: of dims.
/// Errors: a device that fails.
Result<std::vector<double>> time_kernels(const engine::DeviceApi& device, std::span<const TimedKernel> candidates,
                                         std::span<const TimedOperand> operands, const DimValues& values);
/// The same of one kernel, whose last operands are copied to `out` afterwards. Errors: also a kernel that the device does not launch.
Result<double> time_kernel(const engine::DeviceApi& device, const TimedKernel& kernel, std::span<const TimedOperand> operands,
                           const DimValues& values, std::span<const std::span<std::byte>> out);

}  // namespace tenon::tune
