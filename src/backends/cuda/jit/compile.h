// Kernel texts → cubins, through NVRTC and a cache on disk.
#pragma once
#include "tune/tactic.h"

namespace tenon::cuda {

/// In the order of `texts`. Distinct texts compile side by side, as many as there are cores. Errors: NVRTC is missing; a text that does
/// not compile, with the compiler's words.
Result<std::vector<tune::CompiledKernel>> compile_kernels(std::span<const tune::KernelText> texts, const engine::DeviceFacts& device,
                                                          const Log& log);

}  // namespace tenon::cuda
