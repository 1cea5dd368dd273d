#include "tests/emulator/emulate.h"

#include <dlfcn.h>
#include <stdlib.h>

#include <cstring>
#include <filesystem>

#include "backends/cuda/emulator/memory_on_cpu.h"
#include "base/file.h"

namespace tenon {
namespace {

namespace fs = std::filesystem;
using tenon_emulator::kGuardBytes;
using tenon_emulator::kPageBytes;

/// Places that end where their pages end, up to the alignment that kernels count on.
class GuardedMemory {
 public:
  GuardedMemory() = default;
  GuardedMemory(const GuardedMemory&) = delete;
  GuardedMemory& operator=(const GuardedMemory&) = delete;
  ~GuardedMemory() {
    for (const tenon_emulator::Range& range : ranges_) ::munmap(range.pages - kGuardBytes, range.bytes + 2 * kGuardBytes);
  }

  Result<std::byte*> add(const std::string& name, int64_t bytes, bool constant) {
    constexpr size_t kAlign = 64;
    const size_t whole = (static_cast<size_t>(bytes) + kAlign - 1) / kAlign * kAlign;
    const size_t pages = (std::max<size_t>(whole, 1) + kPageBytes - 1) / kPageBytes * kPageBytes;
    void* all = ::mmap(nullptr, pages + 2 * kGuardBytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (all == MAP_FAILED) return fail(ErrorKind::out_of_memory, "no pages for {} bytes", bytes);
    tenon_emulator::Range range = {.name = {}, .pages = static_cast<char*>(all) + kGuardBytes, .bytes = pages, .constant = constant};
    name.copy(range.name, sizeof range.name - 1);
    ranges_.push_back(range);
    ::mprotect(range.pages, pages, PROT_READ | PROT_WRITE);
    return reinterpret_cast<std::byte*>(range.pages + pages - whole);
  }
  tenon_emulator::Memory view() const { return {ranges_.data(), ranges_.size()}; }

 private:
  std::vector<tenon_emulator::Range> ranges_;
};

/// Only what the text of a kernel needs, so that texts of one library do not meet.
std::string unit_of(const tune::KernelText& text) {
  return strf(
      "namespace of_{} {{\n{}\n#undef TENON_KERNEL\n#undef TENON_STRESS\n#undef wait\n}}\n"
      "extern \"C\" const char* run_{}(const void* args, const unsigned* size, const tenon_emulator::Memory* memory) {{\n"
      "  static std::string error;\n"
      "  const tenon_emulator::Guard guard(memory);\n"
      "  const auto body = [args] {{ of_{}::{}(*static_cast<const of_{}::Args*>(args)); }};\n"
      "  error = size[6] ? tenon_emulator::run_clusters(body, size[0], size[3], size[6], size[7])\n"
      "                  : tenon_emulator::run(body, {{size[0], size[1], size[2]}}, {{size[3], size[4], size[5]}});\n"
      "  return error.c_str();\n}}\n",
      text.entry, text.text, text.entry, text.entry, text.entry, text.entry);
}

std::array<uint32_t, 3> sizes_of(const std::vector<Dim>& dims, const DimValues& values, Result<void>& done) {
  std::array<uint32_t, 3> out = {1, 1, 1};
  for (size_t i = 0; i < dims.size() && i < 3; ++i) {
    const auto size = evaluate(dims[i], values);
    if (!size.ok()) done = size.error();
    if (size.ok()) out[i] = static_cast<uint32_t>(*size);
  }
  return out;
}

}  // namespace

Result<Emulator> Emulator::compile(std::span<const tune::KernelText> texts) {
  std::string folder = (fs::temp_directory_path() / "tenon_emulator_XXXXXX").string();
  if (!::mkdtemp(folder.data())) return fail("no folder in '{}' can be made", fs::temp_directory_path().string());
  std::string source = "#include \"backends/cuda/emulator/mma_on_cpu.h\"\n";
  for (const tune::KernelText& text : texts) source += unit_of(text);
  const std::string stem = folder + "/kernels";
  TENON_OK(write_file(stem + ".cpp", view_of(source)));
  const std::string command = strf(
      "g++ -std=c++20 -O0 -w -fPIC -shared -fno-strict-aliasing -ffp-contract=off -DTENON_EMULATOR -I{}/src -o {}.so {}.cpp >{}.log 2>&1",
      TENON_SOURCE_DIR, stem, stem, stem);
  Emulator out;
  out.texts_.assign(texts.begin(), texts.end());
  const int status = ::system(command.c_str());
  if (status == 0) out.library_ = ::dlopen((stem + ".so").c_str(), RTLD_NOW | RTLD_LOCAL);
  const auto said = read_text(stem + ".log");
  std::error_code ignored;
  if (out.library_) fs::remove_all(folder, ignored);
  if (status == 127 << 8) return fail(ErrorKind::not_found, "g++ is not installed");
  if (!out.library_) return fail("kernels do not compile as C++ ({}.cpp): {}", stem, said.ok() ? said->substr(0, 4000) : "");
  return out;
}

Emulator::~Emulator() {
  if (library_) ::dlclose(library_);
}

bool is_constant_input(const engine::Problem& problem, size_t input) { return engine::weights_of(problem).has(input); }

Result<void> Emulator::run(const engine::Kernel& kernel, std::span<const EmulatedOperand> operands, const DimValues& values) const {
  GuardedMemory memory;
  std::vector<std::byte*> workspaces, places(operands.size());
  for (const engine::Workspace& workspace : kernel.workspaces) {
    TENON_TRY(bytes, evaluate(workspace.bytes, values));
    TENON_TRY(place, memory.add(strf("workspace {}", workspaces.size()), bytes, false));
    std::memset(place, workspace.kind == engine::WorkspaceKind::scratch ? 0xff : 0, static_cast<size_t>(bytes));
    workspaces.push_back(place);
  }
  for (size_t i = 0; i < operands.size(); ++i) {
    if (!operands[i].data) continue;
    TENON_TRY(place, memory.add(strf("operand {}", i), operands[i].bytes, operands[i].constant));
    std::memcpy(place, operands[i].data, static_cast<size_t>(operands[i].bytes));
    places[i] = place;
  }
  for (const engine::Launch& launch : kernel.launches) TENON_OK(this->launch(launch, memory.view(), places, workspaces, values));
  for (size_t i = 0; i < operands.size(); ++i)
    if (places[i] && !operands[i].constant) std::memcpy(operands[i].data, places[i], static_cast<size_t>(operands[i].bytes));
  return {};
}

Result<void> Emulator::launch(const engine::Launch& launch, const tenon_emulator::Memory& memory, std::span<std::byte* const> operands,
                              std::span<std::byte* const> workspaces, const DimValues& values) const {
  Bytes args = launch.args;
  for (const engine::Reloc& reloc : launch.relocs) {
    const auto index = static_cast<size_t>(reloc.index);
    int64_t value = 0;
    if (reloc.kind == engine::RelocKind::dim) {
      TENON_TRY(number, evaluate(reloc.value, values));
      value = number;
    } else if (reloc.kind == engine::RelocKind::workspace) {
      value = reinterpret_cast<int64_t>(workspaces[index]);
    } else if (index < operands.size()) {
      value = reinterpret_cast<int64_t>(operands[index]);
    }
    std::memcpy(args.data() + reloc.offset, &value, 8);
  }
  Result<void> done;
  const auto grid = sizes_of(launch.grid, values, done), block = sizes_of(launch.block, values, done);
  const auto cluster = sizes_of(launch.cluster, values, done);
  TENON_OK(std::move(done));
  TENON_TRY(shared, evaluate(launch.shared_bytes, values));
  // Blocks that are there together: those of a cluster, all of a cooperative launch. Dynamic shared memory is theirs alone.
  const bool together = launch.cooperative || cluster[0] > 1 || shared > 0;
  const unsigned sizes[8] = {grid[0],
                             grid[1],
                             grid[2],
                             block[0],
                             block[1],
                             block[2],
                             together ? (launch.cooperative ? grid[0] : cluster[0]) : 0,
                             static_cast<unsigned>(shared)};
  using Entry = const char* (*)(const void*, const unsigned*, const tenon_emulator::Memory*);
  const auto entry = reinterpret_cast<Entry>(::dlsym(library_, ("run_" + launch.code.name).c_str()));
  if (!entry) return fail("no kernel {}", launch.code.name);
  if (const std::string error = entry(args.data(), sizes, &memory); !error.empty()) return fail("{}: {}", launch.code.name, error);
  return {};
}

}  // namespace tenon
