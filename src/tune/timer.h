// Times kernels on a device that is there: each in a chain of launches within a graph, with the attributes that an engine launches it with,
// weights that change from launch to launch, all candidates in turns.
#pragma once
#include <span>

#include "base/log.h"
#include "engine/device.h"
#include "tune/code_store.h"

namespace tenon::tune {

/// An operand's size in bytes and whether it is a weight.
struct TimedOperand {
  int64_t bytes = 0;
  bool is_weight = false;
};

struct TimedKernel {
  const engine::Kernel* kernel = nullptr;
  std::vector<const CompiledKernel*> code;  // of each launch
};

/// Microseconds of each candidate; infinite where the device refuses to launch it. `operands`: inputs, then outputs; `values`: of dims.
/// Errors: a device that fails.
Result<std::vector<double>> time_kernels(const engine::DeviceApi& device, std::span<const TimedKernel> candidates,
                                         std::span<const TimedOperand> operands, const DimValues& values);

}  // namespace tenon::tune
