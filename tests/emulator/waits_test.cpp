// The rules of dependent launches, on the emulator: what it finds, that it finds every wait() which is taken away, and that stress builds
// give the same bits.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <map>

#include "backends/cuda/tactics/facts.h"
#include "backends/cuda/tactics/kernel_writer.h"
#include "backends/cuda/tactics/tactics.h"
#include "tests/diff/cuda_cases.h"
#include "tests/emulator/emulate.h"
#include "tools/tenon/problem_io.h"
#include "tools/tenon/values.h"

namespace tenon {
namespace {

const engine::DeviceFacts& device() { return *cuda::facts_of("sm_90"); }

// --- what the emulator finds, on kernels of a line each

/// A kernel of one block, one input and one output of 32 floats.
struct Line {
  std::string text;
  bool constant = false;  // the input
  std::string says;       // the emulator; empty: nothing is wrong
};

const std::string kRead = "const float x = static_cast<const float*>(p.in0)[threadIdx.x]; ";
const std::string kWrite = "static_cast<float*>(p.out0)[threadIdx.x] = x; ";
const std::string kWait = "trigger(); wait(); ";
const std::string kWriteInput = "static_cast<float*>(const_cast<void*>(p.in0))[threadIdx.x] = 2; ";
const std::string kLoadConstant = "const float x = __ldg(static_cast<const float*>(p.in0) + threadIdx.x); ";
const std::string kCopy = "__shared__ float s[32]; cp_async4(s + threadIdx.x, static_cast<const float*>(p.in0) + threadIdx.x, true); ";

TEST(EmulatedMemory, FindsWhatNoKernelMayTouch) {
  const std::vector<Line> lines = {
      {kWait + kRead + kWrite, false, ""},
      {kRead + kWait + kWrite, false, "a thread reads operand 0 before wait()"},
      {kRead + kWait + kWrite, true, ""},
      {"const float x = 1; " + kWrite + kWait, false, "a thread writes operand 1 before wait()"},
      {kCopy + kWait, false, "a thread reads operand 0 before wait()"},
      {kCopy + kWait, true, ""},
      {"if (threadIdx.x == 31) return; " + kWait, false, "a thread leaves without wait()"},
      {"__syncthreads(); " + kWait + "__syncthreads(); " + kRead + kWrite, false, ""},
      {kWait + kWriteInput, true, "a thread writes operand 0, a constant"},
      {kWait + kWriteInput, false, ""},
      {kWait + kLoadConstant + kWrite, false, "a thread reads operand 0, which may change, by a load for constants"},
      {kWait + kLoadConstant + kWrite, true, ""},
      {kWait + "const float x = static_cast<const float*>(p.in0)[32]; " + kWrite, false, "a thread reads beside operand 0"},
      {kWait + "static_cast<float*>(p.out0)[-1040] = 1; ", false, "a thread writes beside operand 1"},
  };
  tune::CodeStore code;
  std::vector<engine::Kernel> kernels;
  for (const Line& line : lines) {
    cuda::KernelWriter w(1, 1);
    w.raw("  " + line.text + "\n");
    kernels.push_back(w.finish({device(), code}, {.grid = {Dim(1)}, .threads = 32, .shared_bytes = 64}));
  }
  const auto emulator = Emulator::compile(code.rows());
  if (!emulator.ok() && emulator.error().kind() == ErrorKind::not_found) GTEST_SKIP() << emulator.error().message();
  ASSERT_TRUE(emulator.ok()) << emulator.error().message();
  for (size_t i = 0; i < lines.size(); ++i) {
    std::vector<float> in(32, 1), out(32);
    const EmulatedOperand operands[] = {{reinterpret_cast<std::byte*>(in.data()), 128, lines[i].constant},
                                        {reinterpret_cast<std::byte*>(out.data()), 128}};
    const auto done = emulator->run(kernels[i], operands, {});
    EXPECT_EQ(done.ok(), lines[i].says.empty()) << lines[i].text << (done.ok() ? "" : done.error().message());
    if (!done.ok()) {
      EXPECT_THAT(done.error().message(), testing::HasSubstr(lines[i].says)) << lines[i].text;
    }
  }
}

// --- kernels of the tactics

struct Tried {
  CudaCase one;
  engine::Problem bound;
  std::string_view tactic;
  engine::Kernel kernel;    // of `code`
  engine::Kernel stressed;  // of `stress`
  cli::ProblemOperands operands;
};

/// A few small problems for each tactic, constants prefetched where a problem has them.
class EmulatedWaits : public testing::Test {
 protected:
  void SetUp() override {
    constexpr size_t kMostEach = 3;
    constexpr int64_t kMostElems = 1 << 13;
    stress_.stress = true;
    std::map<std::string_view, size_t> count;
    for (const char* kind : kCudaKinds)
      for (const CudaCase& one : cuda_cases(kind))
        for (const tune::Tactic& tactic : cuda::backend().tactics) {
          if (count[tactic.name] == kMostEach || !tactic.supports(one.problem, device()).ok) continue;
          Tried tried{.one = one, .tactic = tactic.name};
          auto bound = engine::bind(one.problem, one.values);
          ASSERT_TRUE(bound.ok()) << bound.error().message();
          tried.bound = std::move(*bound);
          auto operands = cli::operands_of(tried.bound);
          ASSERT_TRUE(operands.ok()) << operands.error().message();
          tried.operands = std::move(*operands);
          int64_t least = INT64_MAX, most = 0;
          for (const auto* list : {&tried.operands.in, &tried.operands.out})
            for (const Fact& fact : *list) {
              least = std::min(least, elems_of(*fact.shape().constant()));
              most = std::max(most, elems_of(*fact.shape().constant()));
            }
          if (least == 0 || most > kMostElems || cli::flops_of(tried.bound) > 1e5) continue;
          const auto in = static_cast<int64_t>(tried.operands.in.size()), out = static_cast<int64_t>(tried.operands.out.size());
          auto kernel = tactic.build(one.problem, {device(), code_, in, out});
          auto stressed = tactic.build(one.problem, {device(), stress_, in, out});
          ASSERT_TRUE(kernel.ok() && stressed.ok()) << engine::to_string(one.problem);
          tried.kernel = std::move(*kernel), tried.stressed = std::move(*stressed);
          tried_.push_back(std::move(tried));
          ++count[tactic.name];
        }
    for (const tune::Tactic& tactic : cuda::backend().tactics) EXPECT_GT(count[tactic.name], 0U) << tactic.name;
  }

  /// The bytes of all outputs.
  Result<std::vector<Bytes>> run(const Emulator& emulator, const Tried& tried, const engine::Kernel& kernel) const {
    std::vector<HostValue> in;
    for (const Fact& fact : tried.operands.in) {
      TENON_TRY(value, cli::random_value(fact.type, *fact.shape().constant(), 7, strf("{}", in.size())));
      in.push_back(std::move(value));
    }
    cli::settle_random(tried.bound, in, 7);
    std::vector<EmulatedOperand> operands;
    for (const HostValue& value : in)
      operands.push_back({value.tensor.data, value.tensor.bytes(), is_constant_input(tried.bound, operands.size())});
    std::vector<Bytes> out;
    out.reserve(tried.operands.out.size());
    for (const Fact& fact : tried.operands.out) {
      const int64_t bytes = bytes_of(fact.dtype(), elems_of(*fact.shape().constant()));
      out.emplace_back(static_cast<size_t>(bytes), std::byte{0xff});
      operands.push_back({out.back().data(), bytes});
    }
    TENON_OK(emulator.run(kernel, operands, tried.one.values));
    return out;
  }

  tune::CodeStore code_, stress_;
  std::vector<Tried> tried_;
};

/// The text without its calls of wait(); those of cluster_wait() and the like stay.
std::string without_waits(std::string text) {
  constexpr std::string_view kCall = "wait();";
  for (size_t at = text.find(kCall); at != std::string::npos; at = text.find(kCall, at)) {
    const bool other = at > 0 && (std::isalnum(static_cast<unsigned char>(text[at - 1])) || text[at - 1] == '_');
    if (other)
      at += kCall.size();
    else
      text.erase(at, kCall.size());
  }
  return text;
}

/// The same with a wait at the end of the kernel.
std::string with_a_late_wait(const std::string& text) {
  std::string out = without_waits(text);
  return out.insert(out.rfind('}'), "  wait();\n");
}

TEST_F(EmulatedWaits, AWaitThatIsMissingOrLateIsFound) {
  std::vector<tune::KernelText> texts;
  std::map<std::string, std::vector<std::string>> changed;  // of each kernel
  for (const tune::KernelText& row : code_.rows())
    for (auto* change : {&without_waits, +[](std::string text) { return with_a_late_wait(text); }}) {
      const std::string entry = strf("{}_{}", row.entry, changed[row.entry].size());
      std::string text = change(row.text);
      ASSERT_NE(text, row.text) << row.entry << " has no wait";
      const std::string define = strf("#define TENON_KERNEL {}\n", row.entry);
      ASSERT_TRUE(text.starts_with(define));
      texts.push_back({entry, text.replace(0, define.size(), strf("#define TENON_KERNEL {}\n", entry))});
      changed[row.entry].push_back(entry);
    }
  const auto emulator = Emulator::compile(texts);
  if (!emulator.ok() && emulator.error().kind() == ErrorKind::not_found) GTEST_SKIP() << emulator.error().message();
  ASSERT_TRUE(emulator.ok()) << emulator.error().message();
  for (const Tried& tried : tried_)
    for (size_t i = 0; i < 2; ++i) {
      engine::Kernel kernel = tried.kernel;
      ASSERT_EQ(kernel.launches.size(), 1U);
      kernel.launches[0].code.name = changed.at(kernel.launches[0].code.name)[i];
      const auto done = run(*emulator, tried, kernel);
      ASSERT_FALSE(done.ok()) << tried.tactic << (i ? " waits late" : " does not wait") << ": " << engine::to_string(tried.one.problem);
      EXPECT_THAT(done.error().message(), testing::AnyOf(testing::HasSubstr("before wait()"), testing::HasSubstr("without wait()")))
          << tried.tactic << ": " << engine::to_string(tried.one.problem);
    }
  std::printf("%zu changed kernels\n", texts.size());
}

TEST_F(EmulatedWaits, StressBuildsGiveTheSameBits) {
  std::vector<tune::KernelText> texts = code_.rows();
  texts.insert(texts.end(), stress_.rows().begin(), stress_.rows().end());
  EXPECT_EQ(code_.rows().size(), stress_.rows().size());
  for (const tune::KernelText& row : stress_.rows()) EXPECT_NE(row.text.find("stressed_wait"), std::string::npos);
  for (const tune::KernelText& row : code_.rows()) EXPECT_EQ(row.text.find("stress"), std::string::npos);
  const auto emulator = Emulator::compile(texts);
  if (!emulator.ok() && emulator.error().kind() == ErrorKind::not_found) GTEST_SKIP() << emulator.error().message();
  ASSERT_TRUE(emulator.ok()) << emulator.error().message();
  for (const Tried& tried : tried_) {
    const auto usual = run(*emulator, tried, tried.kernel), stressed = run(*emulator, tried, tried.stressed);
    ASSERT_TRUE(usual.ok()) << tried.tactic << ": " << usual.error().message();
    ASSERT_TRUE(stressed.ok()) << tried.tactic << ": " << stressed.error().message();
    EXPECT_NE(tried.kernel.launches[0].code.name, tried.stressed.launches[0].code.name);
    EXPECT_TRUE(*usual == *stressed) << tried.tactic << ": " << engine::to_string(tried.one.problem);
  }
}

}  // namespace
}  // namespace tenon
