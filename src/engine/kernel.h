// Kernels as plain data: what to launch, with which arguments, under which conditions.
#pragma once
#include "base/fields.h"
#include "tensor/dim.h"

namespace tenon::engine {

/// On the CPU the stable name of a kernel row and its configuration; on a GPU a function of a module in the file, and for people the
/// tactic that wrote it with its configuration.
struct CodeRef {
  std::string name;
  std::string config;
  int64_t module = -1;  // row of the target's code section
  std::string arch;     // "sm_90", "sm_90a"
  int64_t lowest_driver = 0;
  int64_t registers = 0, shared_bytes = 0, parameter_bytes = 0;
  bool has_wait = false;  // contains griddepcontrol.wait: may be launched dependently
  static constexpr std::string_view kName = "CodeRef";
  static constexpr auto kFields = Fields{Field{1, "name", &CodeRef::name},
                                         Field{2, "config", &CodeRef::config},
                                         Field{3, "module", &CodeRef::module},
                                         Field{4, "arch", &CodeRef::arch},
                                         Field{5, "lowest_driver", &CodeRef::lowest_driver},
                                         Field{6, "registers", &CodeRef::registers},
                                         Field{7, "shared_bytes", &CodeRef::shared_bytes},
                                         Field{8, "parameter_bytes", &CodeRef::parameter_bytes},
                                         Field{9, "has_wait", &CodeRef::has_wait}};
};

enum class RelocKind : uint8_t { arena, weight, io, workspace, dim, tensor_map, run_counter };
constexpr auto enum_names(RelocKind) {
  return std::array<std::string_view, 7>{"arena", "weight", "io", "workspace", "dim", "tensor_map", "run_counter"};
}
/// args[offset] ← the address of operand or workspace `index`, or the value of a dim; tensor_map: a 128-byte descriptor, 64-aligned,
/// built from `recipe`.
struct Reloc {
  int64_t offset = 0;
  RelocKind kind = RelocKind::arena;
  int64_t index = 0;
  Dim value;
  Bytes recipe;
  static constexpr std::string_view kName = "Reloc";
  static constexpr auto kFields =
      Fields{Field{1, "offset", &Reloc::offset}, Field{2, "kind", &Reloc::kind}, Field{3, "index", &Reloc::index},
             Field{4, "value", &Reloc::value}, Field{5, "recipe", &Reloc::recipe}};
};

enum class LaunchMode : uint8_t { plain, dependent };
constexpr auto enum_names(LaunchMode) { return std::array<std::string_view, 2>{"plain", "dependent"}; }

struct Launch {
  CodeRef code;
  std::vector<Dim> grid, block, cluster;
  Dim shared_bytes;
  LaunchMode mode = LaunchMode::plain;
  bool cooperative = false;
  Bytes args;
  std::vector<Reloc> relocs;
  int64_t most_blocks = 0;  // dependent and of more blocks, it is launched plainly; 0: the grid is known and has few enough
  static constexpr std::string_view kName = "Launch";
  static constexpr auto kFields = Fields{Field{1, "code", &Launch::code},
                                         Field{2, "grid", &Launch::grid},
                                         Field{3, "block", &Launch::block},
                                         Field{4, "cluster", &Launch::cluster},
                                         Field{5, "shared_bytes", &Launch::shared_bytes},
                                         Field{6, "mode", &Launch::mode},
                                         Field{7, "cooperative", &Launch::cooperative},
                                         Field{8, "args", &Launch::args},
                                         Field{9, "relocs", &Launch::relocs},
                                         Field{10, "most_blocks", &Launch::most_blocks}};
};

/// scratch: any contents; zero_once: zeroed when the context is made, left zero by the kernel; persistent: kept between runs.
enum class WorkspaceKind : uint8_t { scratch, zero_once, persistent };
constexpr auto enum_names(WorkspaceKind) { return std::array<std::string_view, 3>{"scratch", "zero_once", "persistent"}; }
struct Workspace {
  WorkspaceKind kind = WorkspaceKind::scratch;
  Dim bytes;
  static constexpr std::string_view kName = "Workspace";
  static constexpr auto kFields = Fields{Field{1, "kind", &Workspace::kind}, Field{2, "bytes", &Workspace::bytes}};
};

struct Kernel {
  std::vector<Launch> launches;
  std::vector<Workspace> workspaces;
  static constexpr std::string_view kName = "Kernel";
  static constexpr auto kFields = Fields{Field{1, "launches", &Kernel::launches}, Field{2, "workspaces", &Kernel::workspaces}};
};

/// least ≤ dim ≤ most.
struct Guard {
  Dim dim;
  int64_t least = 0, most = INT64_MAX;
  static constexpr std::string_view kName = "Guard";
  static constexpr auto kFields = Fields{Field{1, "dim", &Guard::dim}, Field{2, "least", &Guard::least}, Field{3, "most", &Guard::most}};
};

struct Variant {
  std::vector<Guard> guards;
  Kernel kernel;
  static constexpr std::string_view kName = "Variant";
  static constexpr auto kFields = Fields{Field{1, "guards", &Variant::guards}, Field{2, "kernel", &Variant::kernel}};
};

}  // namespace tenon::engine
