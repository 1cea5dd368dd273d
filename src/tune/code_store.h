// CodeStore: the kernel texts that the tactics of a plan asked for, each distinct one once. They are compiled together when every step
// has its tactic.
#pragma once
#include <map>

#include "engine/kernel.h"

namespace tenon::tune {

struct KernelText {
  std::string entry;  // the name of the kernel in `text`
  std::string text;
  friend auto operator<=>(const KernelText&, const KernelText&) = default;
};

/// A compiled text.
struct CompiledKernel {
  Bytes binary;                                              // for PTX (engine::is_ptx) the text, a zero behind it
  int64_t registers = 0, shared_bytes = 0, local_bytes = 0;  // local: spilled registers; all zero for PTX
  // What the compiler's output contains: griddepcontrol.wait; loads through the read-only path, which may move before it.
  bool has_wait = false, has_constant_loads = false;
  int64_t lowest_driver = 0;
};

class CodeStore {
 public:
  /// Texts of a stress build (BuildOptions::stress) are asked for.
  bool stress = false;
  /// `text` calls its kernel TENON_KERNEL; the store names it by its contents. `module` is a row of this store until choose() ends.
  engine::CodeRef add(const std::string& text);
  const std::vector<KernelText>& rows() const { return rows_; }

 private:
  std::vector<KernelText> rows_;
  std::map<std::string, int64_t> by_entry_;
};

}  // namespace tenon::tune
