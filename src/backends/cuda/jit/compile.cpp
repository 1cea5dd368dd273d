#include "backends/cuda/jit/compile.h"

#include <atomic>
#include <thread>

#include "backends/cuda/jit/cache.h"
#include "backends/cuda/jit/nvrtc.h"

namespace tenon::cuda {
namespace {

/// The number before `unit` in what ptxas says of a kernel, 0 where it says nothing.
int64_t number_before(std::string_view unit, std::string_view text) {
  const size_t end = text.find(unit);
  if (end == std::string_view::npos) return 0;
  size_t start = end;
  while (start > 0 && text[start - 1] >= '0' && text[start - 1] <= '9') --start;
  int64_t out = 0;
  for (size_t i = start; i < end; ++i) out = out * 10 + (text[i] - '0');
  return out;
}

using GetSize = int (*)(Nvrtc::Program, size_t*);
using GetText = int (*)(Nvrtc::Program, char*);

/// What a compilation gave in one form; empty where there is none.
Bytes output_of(Nvrtc::Program program, GetSize get_size, GetText get) {
  size_t size = 0;
  if (get_size(program, &size) != 0) return {};
  Bytes out(size);
  if (size && get(program, reinterpret_cast<char*>(out.data())) != 0) out.clear();
  return out;
}

Result<tune::CompiledKernel> compile(const Nvrtc& nvrtc, const tune::KernelText& text, bool to_ptx,
                                     const std::vector<std::string>& options) {
  Nvrtc::Program program = nullptr;
  if (nvrtc.nvrtcCreateProgram(&program, text.text.c_str(), "kernel.cu", 0, nullptr, nullptr) != 0)
    return fail(ErrorKind::out_of_memory, "NVRTC cannot take the text of {}", text.entry);
  std::vector<const char*> words;
  for (const std::string& option : options) words.push_back(option.c_str());
  const int status = nvrtc.nvrtcCompileProgram(program, static_cast<int>(words.size()), words.data());
  std::string said;
  size_t size = 0;
  if (nvrtc.nvrtcGetProgramLogSize(program, &size) == 0 && size > 1) {
    said.resize(size);
    (void)nvrtc.nvrtcGetProgramLog(program, said.data());
    said.resize(size - 1);
  }
  tune::CompiledKernel out;
  Result<void> done;
  Bytes ptx;
  if (status == 0) {
    ptx = output_of(program, nvrtc.nvrtcGetPTXSize, nvrtc.nvrtcGetPTX);
    out.binary = to_ptx ? ptx : output_of(program, nvrtc.nvrtcGetCUBINSize, nvrtc.nvrtcGetCUBIN);
  }
  if (out.binary.empty() || ptx.empty()) {
    done = fail(ErrorKind::unsupported, "the kernel {} does not compile:\n{}\n{}", text.entry, said, text.text);
  } else {
    const std::string_view words = text_of(ptx);
    out.registers = number_before(" registers", said);
    out.shared_bytes = number_before(" bytes smem", said);
    out.local_bytes = number_before(" bytes spill stores", said);
    out.has_wait = words.find("griddepcontrol.wait") != std::string_view::npos;
    // The compiler's own sine and cosine read their table of 2 / pi so, which is constant.
    const bool own_table = words.find("__cudart_i2opi") != std::string_view::npos;
    out.has_constant_loads = words.find("ld.global.nc") != std::string_view::npos && !own_table;
  }
  (void)nvrtc.nvrtcDestroyProgram(&program);
  TENON_OK(std::move(done));
  return out;
}

}  // namespace

Result<std::vector<tune::CompiledKernel>> compile_kernels(std::span<const tune::KernelText> texts, const engine::DeviceFacts& device,
                                                          const Log& log) {
  TENON_TRY(nvrtc, load_nvrtc());
  const bool to_ptx = engine::is_ptx(device.arch);
  std::vector<std::string> options = {"--gpu-architecture=" + device.arch, "--std=c++17", "--device-as-default-execution-space",
                                      "--fmad=true"};
  if (!to_ptx) options.emplace_back("--ptxas-options=--verbose");
  constexpr int kFacts = 4;  // counts up when what is read from the compiler's words changes: the cache keeps it
  const std::string compiler = strf("nvrtc {}.{} facts {} {}", nvrtc->major, nvrtc->minor, kFacts, join(options, " "));
  std::vector<tune::CompiledKernel> out(texts.size());
  std::vector<Result<void>> done(texts.size());
  std::atomic<size_t> next = 0, fresh = 0;
  const auto work = [&] {
    for (size_t i = next++; i < texts.size(); i = next++) {
      if (auto kept = cached(texts[i].text, compiler)) {
        out[i] = std::move(*kept);
      } else if (auto compiled = compile(*nvrtc, texts[i], to_ptx, options); compiled.ok()) {
        ++fresh;
        keep(texts[i].text, compiler, *compiled);
        out[i] = std::move(*compiled);
      } else {
        done[i] = std::move(compiled).error();
      }
    }
  };
  std::vector<std::thread> threads;
  for (size_t i = 1; i < std::min<size_t>(std::max(1u, std::thread::hardware_concurrency()), texts.size()); ++i) threads.emplace_back(work);
  work();
  for (std::thread& thread : threads) thread.join();
  for (Result<void>& result : done) TENON_OK(std::move(result));
  log.detail(1, "", "{} kernels for {}, {} of them compiled now", texts.size(), device.arch, fresh.load());
  for (size_t i = 0; i < texts.size(); ++i) {
    if (out[i].local_bytes) log(Severity::warning, "kernel {} spills {} bytes of registers to memory", texts[i].entry, out[i].local_bytes);
    log.detail(5, texts[i].entry, "{}", texts[i].text);
  }
  return out;
}

}  // namespace tenon::cuda
