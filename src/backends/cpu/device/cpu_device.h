// The host as a device: a synchronous queue over ordinary memory.
#pragma once
#include "engine/device.h"

namespace tenon::cpu {

const engine::DeviceApi& device_api();

}  // namespace tenon::cpu
