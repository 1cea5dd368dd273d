// A second device for tests: queues on threads of their own, and memory that faults when the host touches it. A missing copy, wait or
// host access in a plan shows as a fault or a wrong result.
#pragma once
#include "engine/device.h"

namespace tenon::mock {

const engine::DeviceApi& device_api();

/// The device as one that runs code modules: nothing is computed, what it was asked for is kept. For tests of the runtime, of one thread.
struct CodeRecord {
  std::string arch;                 // what the device plays, "sm_90"; empty: it takes no code, and nothing is kept
  std::vector<std::string> events;  // "copy", "launch NAME", "launch NAME dependent", "capture", "graph", "replay"
};
CodeRecord& code_record();

}  // namespace tenon::mock
