// tenon doctor: what this machine offers, what is missing, and how to get it.
#include <unistd.h>
#include <zlib.h>

#include <fstream>
#include <set>
#include <sstream>
#include <thread>

#include "backends/cuda/device/driver.h"
#include "backends/cuda/jit/nvrtc.h"
#include "base/text.h"
#include "engine/file.h"
#include "engine/reference_api.h"
#include "runtime/engine.h"
#include "verb.h"

namespace tenon::cli {
namespace {

struct Cpu {
  std::string name = "unknown";
  std::vector<std::string> isa;  // of those that kernels care about
};

/// /proc/cpuinfo, as Linux writes it on x86 ("model name", "flags") and ARM ("CPU part", "Features").
Cpu read_cpu() {
  Cpu out;
  std::set<std::string> flags;
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line) && !line.empty();) {
    const size_t colon = line.find(':');
    if (colon == std::string::npos) continue;
    const std::string value = colon + 2 <= line.size() ? line.substr(colon + 2) : "";
    if (line.starts_with("model name")) out.name = value;
    if (!line.starts_with("flags") && !line.starts_with("Features")) continue;
    std::istringstream words(value);
    for (std::string word; words >> word;) flags.insert(word);
  }
  for (const char* flag :
       {"avx",         "f16c",     "fma",      "avx2",     "avx_vnni", "avx512f", "avx512bw", "avx512vl", "avx512_vnni", "avx512_bf16",
        "avx512_fp16", "amx_tile", "amx_int8", "amx_bf16", "asimd",    "asimdhp", "sve",      "sve2",     "i8mm",        "bf16"})
    if (flags.contains(flag)) out.isa.emplace_back(flag);
  return out;
}

struct Check {
  std::string name;
  bool ok = false;
  std::string detail;
  bool needed = false;  // by Tenon itself
};

std::vector<Check> run_checks() {
  std::vector<Check> out;
  const auto reference = engine::load_reference();
  out.push_back({"reference library", reference.ok(), reference.ok() ? "libtenon-reference.so loads" : reference.error().message(), true});
  const auto gpu = runtime::find_device_api("cuda")->check("", 0);
  const auto opened = cuda::open_gpu();
  out.push_back({"GPU", gpu.ok(), opened.ok() ? strf("{}, {}", (*opened)->name, (*opened)->arch) : gpu.error().message()});
  const auto nvrtc = cuda::load_nvrtc();
  out.push_back({"CUDA runtime compiler", nvrtc.ok(),
                 nvrtc.ok() ? strf("NVRTC {}.{}, {}", (*nvrtc)->major, (*nvrtc)->minor, (*nvrtc)->path) : nvrtc.error().message()});
  return out;
}

Result<int> run_doctor(bool json) {
  const Cpu cpu = read_cpu();
  const auto memory = static_cast<uint64_t>(::sysconf(_SC_PHYS_PAGES)) * static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
  const unsigned cores = std::thread::hardware_concurrency();
  const std::vector<Check> checks = run_checks();
  bool healthy = true;
  for (const Check& check : checks) healthy = healthy && (check.ok || !check.needed);
  const std::string fmt_version = strf("{}.{}.{}", FMT_VERSION / 10000, FMT_VERSION / 100 % 100, FMT_VERSION % 100);
  if (json) {
    Json list = Json::array();
    for (const Check& check : checks) list.push_back({{"name", check.name}, {"ok", check.ok}, {"detail", check.detail}});
    print_json({{"version", TENON_VERSION},
                {"engine_format", engine::kFormatVersion},
                {"compiler", __VERSION__},
                {"fmt", fmt_version},
                {"zlib", ::zlibVersion()},
                {"cpu", cpu.name},
                {"isa", cpu.isa},
                {"cores", cores},
                {"memory_bytes", memory},
                {"checks", std::move(list)},
                {"healthy", healthy}});
  } else {
    say("tenon {}, engine format {}, compiled by {} {}\n", TENON_VERSION, engine::kFormatVersion,
#ifdef __clang__
        "clang",
#else
        "gcc",
#endif
        __VERSION__);
    say("fmt {}, zlib {}\n", fmt_version, ::zlibVersion());
    say("CPU: {}, {} cores usable, {} of memory\n", cpu.name, cores, bytes_text(memory));
    say("ISA: {}\n", cpu.isa.empty() ? "baseline" : join(cpu.isa, " "));
    for (const Check& check : checks)
      say("{} {}: {}\n", check.ok ? "ok     " : check.needed ? "MISSING" : "absent ", check.name, check.detail);
  }
  return healthy ? kOk : kFailed;
}

}  // namespace

void add_doctor(CLI::App& app, Outcome& outcome) {
  Verb(app, outcome, "doctor", "show what this machine offers and what is missing", "tenon doctor",
       [&outcome] { return run_doctor(outcome.json); });
}

}  // namespace tenon::cli
