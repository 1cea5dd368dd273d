// libFuzzer entry of the importer: models whose messages are mutated become graphs, with types inferred, or errors.
#include <cstdint>

#include "ir/verify.h"
#include "onnx/import.h"
#include "tests/fuzz/wire_mutator.h"

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t max_size, unsigned seed) {
  return tenon::fuzz::mutate_message(data, size, max_size, seed);
}

extern "C" size_t LLVMFuzzerCustomCrossOver(const uint8_t* one, size_t one_size, const uint8_t* other, size_t other_size, uint8_t* out,
                                            size_t max_size, unsigned seed) {
  return tenon::fuzz::cross_messages(one, one_size, other, other_size, out, max_size, seed);
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace tenon;
  // A folder that does not exist: fuzzed locations must not open files of this machine.
  const auto model = onnx::read_model({reinterpret_cast<const std::byte*>(data), size}, nullptr, "/nonexistent");
  if (!model.ok()) return 0;
  const auto module = onnx::import_model(*model);
  if (!module.ok()) return 0;
  const auto right = ir::verify(*module);
  TENON_CHECK(right.ok(), "{}", right.error().message());
  return 0;
}
