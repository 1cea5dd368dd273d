// Memory of an emulated launch: each operand on pages of its own, those that may change out of reach until wait(). What is found: a read
// or write of them before it, a write to a constant, a read of what may change by a load for constants, an access beside an operand.
#pragma once
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <ucontext.h>

namespace tenon_emulator {

/// An operand or workspace, as whoever launches laid it out: whole pages, with kGuardBytes that nobody may touch on both sides.
struct Range {
  char name[16];  // "operand 2", "workspace 0"
  char* pages;
  size_t bytes;  // of the pages
  bool constant;
};
struct Memory {
  const Range* ranges;
  size_t count;
};
constexpr size_t kPageBytes = 4096, kGuardBytes = 1 << 20;

inline const Memory* g_memory = nullptr;
inline bool g_open = true;      // what may change is within reach
inline char g_fault[200] = {};  // the first mistake of this launch

inline void say_fault(const char* what, const char* name, const char* when) {
  if (!g_fault[0]) snprintf(g_fault, sizeof g_fault, "a thread %s %s%s", what, name, when);
}

inline void open_memory(bool open) {
  if (!g_memory || open == g_open) return;
  for (size_t i = 0; i < g_memory->count; ++i) {
    const Range& range = g_memory->ranges[i];
    if (!range.constant) mprotect(range.pages, range.bytes, open ? PROT_READ | PROT_WRITE : PROT_NONE);
  }
  g_open = open;
}

/// Null: the address is in no operand, nor beside one.
inline const Range* range_at(const void* address, bool& beside) {
  const auto* at = static_cast<const char*>(address);
  for (size_t i = 0; g_memory && i < g_memory->count; ++i) {
    const Range& range = g_memory->ranges[i];
    if (at < range.pages - kGuardBytes || at >= range.pages + range.bytes + kGuardBytes) continue;
    beside = at < range.pages || at >= range.pages + range.bytes;
    return &range;
  }
  return nullptr;
}

/// A load for constants: a compiler may move it to before wait().
inline void check_constant(const void* address) {
  bool beside = false;
  const Range* range = range_at(address, beside);
  if (range && !range->constant) say_fault("reads", range->name, ", which may change, by a load for constants");
}

/// A copy in the background reads when it begins, wherever its bytes land.
inline void touch(const void* from, size_t bytes) {
  const auto* at = static_cast<const volatile char*>(from);
  (void)at[0];
  (void)at[bytes - 1];
}

/// Keeps what went wrong and lets the thread go on: the scheduler ends the launch where it gets to it.
inline void on_fault(int, siginfo_t* info, void* context) {
  bool writes = false;
#ifdef __x86_64__
  writes = (static_cast<ucontext_t*>(context)->uc_mcontext.gregs[REG_ERR] & 2) != 0;
#endif
  (void)context;
  bool beside = false;
  const Range* range = range_at(info->si_addr, beside);
  if (!range) {
    signal(SIGSEGV, SIG_DFL);  // no mistake that this knows: the access comes again and ends the process
    return;
  }
  const char* what = writes ? "writes" : "reads";
  if (beside) {
    say_fault(writes ? "writes beside" : "reads beside", range->name, "");
    auto* page = reinterpret_cast<char*>(reinterpret_cast<uintptr_t>(info->si_addr) / kPageBytes * kPageBytes);
    mprotect(page, kPageBytes, PROT_READ | PROT_WRITE);
  } else if (range->constant) {
    say_fault(what, range->name, ", a constant");
    mprotect(range->pages, range->bytes, PROT_READ | PROT_WRITE);
  } else {
    say_fault(what, range->name, " before wait()");
    open_memory(true);
  }
}

/// While a launch runs.
class Guard {
 public:
  explicit Guard(const Memory* memory) {
    g_memory = memory;
    g_open = true;
    g_fault[0] = 0;
    struct sigaction action = {};
    action.sa_sigaction = on_fault;
    action.sa_flags = SA_SIGINFO | SA_NODEFER;
    sigaction(SIGSEGV, &action, &before_);
    for (size_t i = 0; i < memory->count; ++i)
      if (memory->ranges[i].constant) mprotect(memory->ranges[i].pages, memory->ranges[i].bytes, PROT_READ);
  }
  ~Guard() {
    open_memory(true);
    sigaction(SIGSEGV, &before_, nullptr);
    g_memory = nullptr;
  }

 private:
  struct sigaction before_ = {};
};

}  // namespace tenon_emulator
