// How long a product takes with a tile, by a model of the device: what orders the tiles that are worth measuring, and what chooses where
// there is nothing to measure on.
#pragma once
#include "backends/cuda/tactics/product_text.h"
#include "engine/device_facts.h"

namespace tenon::cuda {

/// Microseconds. `threads`, `shared_bytes`: of a block.
double tile_us(const ProductSpec& spec, const Tile& tile, int64_t threads, int64_t shared_bytes, const engine::DeviceFacts& device);

}  // namespace tenon::cuda
