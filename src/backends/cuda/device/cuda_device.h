// An NVIDIA GPU as a device: a queue is a stream, kernels come from modules of the engine file.
#pragma once
#include "engine/device.h"

namespace tenon::cuda {

const engine::DeviceApi& device_api();

}  // namespace tenon::cuda
