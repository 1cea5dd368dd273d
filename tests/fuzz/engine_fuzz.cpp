// libFuzzer entry of the engine file: mutations behind right checksums are loaded and, within bounds, run.
#include <cstdint>
#include <cstdlib>

#include "tests/fault/guarded_run.h"
#include "tests/fault/reseal.h"

extern "C" size_t LLVMFuzzerMutate(uint8_t* data, size_t size, size_t max_size);

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t max_size, unsigned seed) {
  const size_t mutated = LLVMFuzzerMutate(data, size, max_size);
  if (seed % 8) tenon::reseal({reinterpret_cast<std::byte*>(data), mutated});  // some stay wrong, for the checks themselves
  return mutated;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  // Blobs are promised 64-byte alignment, as a mapped file has it.
  const auto aligned = tenon::Tensor::allocate(tenon::DType::u8, {static_cast<int64_t>(size)});
  if (!aligned.ok()) return 0;
  std::copy_n(reinterpret_cast<const std::byte*>(data), size, aligned->data);
  tenon::load_and_run(aligned->view(), aligned->owner, false);
  return 0;
}
