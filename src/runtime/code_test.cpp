// Plans with device code, on the mock device, which keeps what the runtime asks for: which plan of a file is taken, and which launches
// may begin before the one ahead has ended.
#include <gtest/gtest.h>

#include <cstring>

#include "backends/mock/device/mock_device.h"
#include "engine/check_order.h"
#include "runtime/context.h"

namespace tenon::runtime {
namespace {

using engine::BufferKind;
using Events = std::vector<std::string>;

/// Steps on x: f32[n] by words: "up" and "down" copy between the host and the device, other words are kernels, those with a "~" on the
/// host.
class PlanWriter {
 public:
  PlanWriter(std::string target, std::vector<std::string> devices) {
    plan_.target = std::move(target);
    plan_.devices = std::move(devices);
    last_ = add({.name = "x", .kind = BufferKind::input, .index = 0});
    plan_.main.inputs = {{"x", type_, last_}};
  }

  engine::Plan write(const std::vector<std::string>& words, std::string_view arch) {
    if (!arch.empty()) plan_.modules = {{.arch = std::string(arch), .blob = "code " + std::string(arch)}};
    for (size_t i = 0; i < words.size(); ++i) {
      const std::string& word = words[i];
      const bool host = word.ends_with("~"), down = word == "down", transfer = down || word == "up", end = i + 1 == words.size();
      engine::Buffer buffer{.name = word, .space = host || down ? 0 : 1, .bytes = Dim(4) * n_, .first = at_, .last = at_ + 1};
      if (end) buffer = {.name = "y", .kind = BufferKind::output, .index = 0};
      const engine::Operand out = add(buffer);
      engine::Step step{.name = word, .device = host ? 0 : 1, .in = {last_}, .out = {out}};
      Expr expr;
      expr.results = {expr.add(Fn::neg, expr.add_input(0, DType::f32))};
      step.problem = engine::PointwiseProblem{expr, {type_.shape}, type_.shape};
      if (transfer) step.problem = engine::TransferProblem{Dim(4) * n_};
      if (host && at_ > 0) step.waits = {at_ - 1};
      engine::Launch launch{.code = {.name = transfer ? "copy" : "reference"}};
      if (!host && !transfer) launch = code(word, arch);
      step.variants = {{.kernel = {.launches = {launch}}}};
      if (plan_.main.segments.empty() || host != host_) plan_.main.segments.emplace_back();
      host_ = host;
      plan_.main.segments.back().steps.push_back(std::move(step));
      last_ = out;
      ++at_;
    }
    plan_.main.outputs = {{"y", type_, last_}};
    for (engine::Buffer& buffer : plan_.main.buffers) buffer.last = std::min(buffer.last, at_ - 1);
    return plan_;
  }

 private:
  /// Kernels named "empty" and "many" have as many blocks as x has elements; "many" may be dependent with up to 4.
  engine::Launch code(const std::string& name, std::string_view arch) const {
    engine::Launch out{.code = {.name = name, .module = 0, .arch = std::string(arch), .parameter_bytes = 16}};
    out.code.has_wait = engine::has_dependent_launch(arch) && name != "hasty";
    out.grid = {name == "empty" || name == "many" ? n_ : Dim(1)};
    out.most_blocks = name == "many" ? 4 : 0;
    out.block = {Dim(32)};
    out.mode = engine::has_dependent_launch(arch) ? engine::LaunchMode::dependent : engine::LaunchMode::plain;
    out.args.resize(16);
    out.relocs = {{.offset = 0, .index = 0}, {.offset = 8, .index = 1}};
    return out;
  }
  engine::Operand add(const engine::Buffer& buffer) {
    plan_.main.buffers.push_back(buffer);
    return {.buffer = static_cast<int64_t>(plan_.main.buffers.size()) - 1, .type = type_};
  }

  const Dim n_ = Dim::symbol("n");
  const ValueType type_ = ValueType::tensor(DType::f32, Shape{n_});
  engine::Plan plan_;
  engine::Operand last_;
  int64_t at_ = 0;
  bool host_ = false;
};

engine::Plan device_plan(const std::vector<std::string>& words, const std::string& arch) {
  return PlanWriter(arch, {"cpu", "mock"}).write(words, arch);
}
engine::Plan host_plan(const std::string& target) { return PlanWriter(target, {"cpu"}).write({"only~"}, ""); }

Tensor bytes_tensor(std::string_view text) {
  Tensor out = *Tensor::allocate(DType::u8, {static_cast<int64_t>(text.size())});
  std::memcpy(out.data, text.data(), text.size());
  return out;
}
constexpr std::string_view kElf(
    "\x7f"
    "ELF code"),
    kPtx(".version 9.0\0", 13);

class DeviceCode : public testing::Test {
 protected:
  void SetUp() override { mock::code_record() = {.arch = "sm_90"}; }
  void TearDown() override { mock::code_record() = {}; }

  Result<std::shared_ptr<Engine>> load(std::vector<engine::Plan> plans, const std::string& target = "") {
    image_.plans = std::move(plans);
    image_.plans.push_back(host_plan("portable"));
    bytes_ = *engine::write_engine(image_);
    warnings_.clear();
    const Log log([this](Severity severity, std::string_view text) {
      if (severity <= Severity::warning) warnings_ += text;
    });
    return Engine::load(bytes_, nullptr, {.target = target, .log = log});
  }
  std::string target_of(std::vector<engine::Plan> plans) {
    const auto engine = load(std::move(plans));
    EXPECT_TRUE(engine.ok()) << engine.error().message();
    return engine.ok() ? (*engine)->plan().target : "";
  }
  /// What the device is asked for in each of `runs` runs with n elements.
  std::vector<Events> events(const std::vector<std::string>& words, int64_t n, int runs) {
    const engine::Plan plan = device_plan(words, "sm_90");
    const auto engine = load({plan}, "sm_90");
    EXPECT_TRUE(engine.ok()) << engine.error().message();
    if (!engine.ok()) return {};
    auto context = Context::create(*engine);
    const std::vector<float> x(static_cast<size_t>(n));
    std::vector<Events> out;
    EXPECT_TRUE((*context)->set_input(0, make_tensor<float>(DType::f32, {n}, std::span<const float>(x))).ok());
    for (int i = 0; i < runs; ++i) {
      mock::code_record().events.clear();
      const auto done = (*context)->run();
      EXPECT_TRUE(done.ok()) << done.error().message();
      out.push_back(mock::code_record().events);
    }
    return out;
  }

  engine::Image image_{.blobs = {{"code sm_90", false, bytes_tensor(kElf)}, {"code compute_80", false, bytes_tensor(kPtx)}}};
  Bytes bytes_;
  std::string warnings_;
};

TEST_F(DeviceCode, OnlyKernelsRightAfterKernelsAreDependent) {
  const auto runs = events({"up", "a", "b", "c", "down", "h~", "up", "d", "e", "down"}, 4, 3);
  ASSERT_EQ(runs.size(), 3U);
  EXPECT_EQ(runs[0], (Events{"copy", "launch a", "launch b dependent", "launch c dependent", "copy", "copy", "launch d",
                             "launch e dependent", "copy"}));
  EXPECT_EQ(runs[1], (Events{"copy", "capture", "launch a", "launch b dependent", "launch c dependent", "graph", "replay", "copy", "copy",
                             "capture", "launch d", "launch e dependent", "graph", "replay", "copy"}));
  EXPECT_EQ(runs[2], (Events{"copy", "replay", "copy", "copy", "replay", "copy"}));
}

TEST_F(DeviceCode, AnEmptyLaunchIsNoneToDependOn) {
  const Events none = {"copy", "launch a", "launch b dependent", "copy"};
  EXPECT_EQ(events({"up", "empty", "a", "b", "down"}, 0, 1), (std::vector<Events>{none}));
  const Events one = {"copy", "launch empty", "launch a dependent", "launch b dependent", "copy"};
  EXPECT_EQ(events({"up", "empty", "a", "b", "down"}, 1, 1), (std::vector<Events>{one}));
}

TEST_F(DeviceCode, ARunDecidesHowManyBlocksMayBeDependent) {
  const Events few = {"copy", "launch a", "launch many dependent", "launch b dependent", "copy"};
  EXPECT_EQ(events({"up", "a", "many", "b", "down"}, 4, 1), (std::vector<Events>{few}));
  const Events more = {"copy", "launch a", "launch many", "launch b dependent", "copy"};
  EXPECT_EQ(events({"up", "a", "many", "b", "down"}, 5, 1), (std::vector<Events>{more}));
}

TEST_F(DeviceCode, AKernelThatDoesNotWaitIsNeverDependent) {
  EXPECT_EQ(events({"up", "a", "hasty", "b", "down"}, 2, 1),
            (std::vector<Events>{{"copy", "launch a", "launch hasty", "launch b dependent", "copy"}}));
}

TEST_F(DeviceCode, CodeForTheGpuGoesBeforePtx) {
  const auto ptx = device_plan({"up", "a", "down"}, "compute_80"), code = device_plan({"up", "a", "down"}, "sm_90");
  EXPECT_EQ(target_of({ptx, code}), "sm_90");
  EXPECT_EQ(target_of({code, ptx}), "sm_90");
  EXPECT_EQ(target_of({host_plan("cpu"), ptx}), "cpu") << "the file's order stands otherwise";
  EXPECT_EQ(warnings_, "");
}

TEST_F(DeviceCode, AGpuThatNothingWasBuiltForTakesPtxAndSaysSo) {
  const auto ptx = device_plan({"up", "a", "b", "down"}, "compute_80"), code = device_plan({"up", "a", "down"}, "sm_90");
  for (const char* arch : {"sm_80", "sm_89", "sm_100", "sm_120"}) {
    mock::code_record().arch = arch;
    EXPECT_EQ(target_of({code, ptx, host_plan("cpu")}), "compute_80") << arch;
    EXPECT_NE(warnings_.find("the driver compiles its kernels"), std::string::npos) << warnings_;
  }
  for (const char* arch : {"sm_75", ""}) {
    mock::code_record().arch = arch;
    EXPECT_EQ(target_of({code, ptx, host_plan("cpu")}), "cpu") << arch;
    EXPECT_EQ(warnings_, "");
  }
}

TEST_F(DeviceCode, PtxThatIsAskedForIsAnnouncedToo) {
  const auto ptx = device_plan({"up", "a", "down"}, "compute_80");
  ASSERT_TRUE(load({ptx}, "compute_80").ok());
  EXPECT_NE(warnings_.find("the driver compiles its kernels"), std::string::npos) << warnings_;
  mock::code_record().arch = "sm_75";
  const auto old = load({ptx}, "compute_80");
  ASSERT_FALSE(old.ok());
  EXPECT_EQ(old.error().kind(), ErrorKind::not_found);
}

TEST_F(DeviceCode, BytesThatAreNoCodeAreRefused) {
  const auto refused = [&](size_t blob, std::string_view bytes, const std::string& arch) {
    const Tensor kept = image_.blobs[blob].data;
    image_.blobs[blob].data = bytes_tensor(bytes);
    const auto engine = load({device_plan({"up", "a", "down"}, arch)}, arch);
    image_.blobs[blob].data = kept;
    ASSERT_FALSE(engine.ok());
    EXPECT_EQ(engine.error().kind(), ErrorKind::bad_engine) << engine.error().message();
  };
  refused(0, kPtx, "sm_90");
  refused(0, "", "sm_90");
  refused(1, kElf, "compute_80");
  refused(1, ".version 9.0", "compute_80");
}

TEST_F(DeviceCode, PlansOfThisTestKeepTheOrder) {
  const auto plan = device_plan({"up", "a", "b", "c", "down", "h~", "up", "d", "e", "down"}, "sm_90");
  const auto valid = engine::validate(plan);
  ASSERT_TRUE(valid.ok()) << valid.error().message();
  const auto ordered = engine::check_order(plan);
  EXPECT_TRUE(ordered.ok()) << ordered.error().message();
}

}  // namespace
}  // namespace tenon::runtime
