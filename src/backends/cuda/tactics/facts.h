// Facts of the GPUs that plans can be made for without having one: devices/*.txt.
#pragma once
#include <vector>

#include "engine/device_facts.h"

namespace tenon::cuda {

/// One per architecture, PTX for any GPU last.
const std::vector<engine::DeviceFacts>& known_devices();
/// Null if there is none of that architecture.
const engine::DeviceFacts* facts_of(std::string_view arch);

}  // namespace tenon::cuda
