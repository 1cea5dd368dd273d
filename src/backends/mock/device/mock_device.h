// A second device for tests: queues on threads of their own, and memory that faults when the host touches it. A missing copy, wait or
// host access in a plan shows as a fault or a wrong result.
#pragma once
#include "engine/device.h"

namespace tenon::mock {

const engine::DeviceApi& device_api();

}  // namespace tenon::mock
