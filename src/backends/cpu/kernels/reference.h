// reference: any problem, by the reference library. The last tactic of the CPU.
#pragma once
#include "engine/device.h"

namespace tenon::cpu {

Result<void> reference(const engine::KernelCall& call);

}  // namespace tenon::cpu
