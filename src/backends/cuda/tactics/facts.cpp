#include "backends/cuda/tactics/facts.h"

#include "backends/cuda/kernels/texts.h"

namespace tenon::cuda {

const std::vector<engine::DeviceFacts>& known_devices() {
  static const std::vector<engine::DeviceFacts> list = [] {
    std::vector<engine::DeviceFacts> out;
    for (const std::string_view text : {kH100, kA100, kCompute80}) {
      auto facts = from_text<engine::DeviceFacts>(text);
      TENON_CHECK(facts.ok(), "devices/*.txt: {}", facts.error().message());
      out.push_back(std::move(*facts));
    }
    return out;
  }();
  return list;
}

const engine::DeviceFacts* facts_of(std::string_view arch) {
  for (const engine::DeviceFacts& facts : known_devices())
    if (facts.arch == arch) return &facts;
  return nullptr;
}

}  // namespace tenon::cuda
