// Runs kernel texts on the CPU: g++ compiles them behind src/backends/cuda/emulator/cuda_on_cpu.h into a library that this opens.
#pragma once
#include "tune/tactic.h"

namespace tenon {

class Emulator {
 public:
  /// Compiles all texts together. Errors: no compiler (not_found); what the compiler says.
  static Result<Emulator> compile(std::span<const tune::KernelText> texts);
  Emulator(Emulator&& other) noexcept : library_(std::exchange(other.library_, nullptr)), texts_(std::move(other.texts_)) {}
  ~Emulator();

  /// One launch. `operands`: addresses of the step's inputs, then its outputs (null: absent). Workspaces are made here, full of NaN
  /// where the kernel may not expect zeros.
  Result<void> run(const engine::Kernel& kernel, std::span<std::byte* const> operands, const DimValues& values) const;

 private:
  Emulator() = default;
  void* library_ = nullptr;
  std::vector<tune::KernelText> texts_;
};

}  // namespace tenon
