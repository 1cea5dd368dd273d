// Runs kernel texts on the CPU: g++ compiles them behind src/backends/cuda/emulator/cuda_on_cpu.h into a library that this opens.
#pragma once
#include "tune/tactic.h"

namespace tenon_emulator {
struct Memory;
}

namespace tenon {

/// An operand of a step; without data: an absent one.
struct EmulatedOperand {
  std::byte* data = nullptr;
  int64_t bytes = 0;
  bool constant = false;  // a weight: kernels may read it before they wait
};
/// Whether the problem says that its input never changes.
bool is_constant_input(const engine::Problem& problem, size_t input);

class Emulator {
 public:
  /// Compiles all texts together. Errors: no compiler (not_found); what the compiler says.
  static Result<Emulator> compile(std::span<const tune::KernelText> texts);
  Emulator(Emulator&& other) noexcept : library_(std::exchange(other.library_, nullptr)), texts_(std::move(other.texts_)) {}
  ~Emulator();

  /// One launch. `operands`: the step's inputs, then its outputs. They are moved to pages of their own (emulator/memory_on_cpu.h), and
  /// what a kernel made of them is moved back. Workspaces are made here, full of NaN where the kernel may not expect zeros.
  Result<void> run(const engine::Kernel& kernel, std::span<const EmulatedOperand> operands, const DimValues& values) const;

 private:
  Emulator() = default;
  Result<void> launch(const engine::Launch& launch, const tenon_emulator::Memory& memory, std::span<std::byte* const> operands,
                      std::span<std::byte* const> workspaces, const DimValues& values) const;
  void* library_ = nullptr;
  std::vector<tune::KernelText> texts_;
};

}  // namespace tenon
