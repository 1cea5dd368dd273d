// Wrong use of the runtime and the builder: every mistake is an error that says what is wrong.
#include <sys/mman.h>

#include <filesystem>

#include "base/file.h"
#include "ir/text.h"
#include "ops/row.h"
#include "support.h"

namespace tenon {
namespace {

std::string error_of(const auto& result) { return result.ok() ? "no error" : result.error().message(); }

class FaultMisuse : public testing::Test {
 protected:
  void SetUp() override {
    engine_ = load(small_engine("cnn_residual"));
    ASSERT_TRUE(engine_);
    auto context = runtime::Context::create(engine_);
    ASSERT_TRUE(context.ok());
    context_ = std::move(*context);
    port_ = &engine_->plan().main.inputs.at(0);
    rank_ = port_->type.shape.rank();
    for (const Dim& dim : port_->type.shape.dims()) fitting_.push_back(dim.constant().value_or(2));
  }
  static Tensor zeros(DType dtype, const Dims& dims) {
    auto out = Tensor::allocate(dtype, dims);
    EXPECT_TRUE(out.ok());
    std::fill_n(out->data, out->bytes(), std::byte{0});
    return std::move(*out);
  }
  void set_fitting() {
    const auto& ports = engine_->plan().main.inputs;
    for (size_t i = 0; i < ports.size(); ++i) {
      Dims dims;
      for (const Dim& dim : ports[i].type.shape.dims()) dims.push_back(dim.constant().value_or(2));
      ASSERT_TRUE(context_->set_input(i, zeros(ports[i].type.dtype, dims)).ok());
    }
  }

  std::shared_ptr<runtime::Engine> engine_;
  std::unique_ptr<runtime::Context> context_;
  const engine::Port* port_ = nullptr;
  int64_t rank_ = 0;
  Dims fitting_;
};

TEST_F(FaultMisuse, FittingInputsRun) {
  set_fitting();
  const auto done = context_->run();
  EXPECT_TRUE(done.ok()) << error_of(done);
}

TEST_F(FaultMisuse, MissingInput) { EXPECT_NE(error_of(context_->run()).find(port_->name), std::string::npos); }

TEST_F(FaultMisuse, WrongType) {
  const auto set = context_->set_input(0, zeros(port_->type.dtype == DType::f64 ? DType::f32 : DType::f64, fitting_));
  ASSERT_FALSE(set.ok());
  EXPECT_NE(set.error().message().find("f64"), std::string::npos) << set.error().message();
  EXPECT_NE(set.error().message().find(port_->name), std::string::npos) << set.error().message();
}

TEST_F(FaultMisuse, WrongRank) {
  set_fitting();
  Dims longer = fitting_;
  longer.push_back(1);
  if (context_->set_input(0, zeros(port_->type.dtype, longer)).ok()) {
    EXPECT_NE(error_of(context_->run()).find(port_->name), std::string::npos);
  }
}

TEST_F(FaultMisuse, WrongFixedDim) {
  const auto engine = load(small_engine("cnn_residual"));
  ASSERT_TRUE(engine);
  auto context = runtime::Context::create(engine);
  ASSERT_TRUE(context.ok());
  const engine::Port& port = engine->plan().main.inputs.at(0);
  Dims dims;
  for (const Dim& dim : port.type.shape.dims()) dims.push_back(dim.constant().value_or(1));
  dims[1] += 1;
  ASSERT_TRUE(port.type.shape[1].is_constant()) << to_string(port.type);
  const auto set = (*context)->set_input(0, zeros(port.type.dtype, dims));
  const std::string message = set.ok() ? error_of((*context)->run()) : set.error().message();
  EXPECT_NE(message.find(port.name), std::string::npos) << message;
  EXPECT_NE(message.find(to_string(dims)), std::string::npos) << message;
}

TEST_F(FaultMisuse, AnotherKindOfValue) {
  HostValue sequence;
  sequence.kind = HostValue::Kind::sequence;
  const auto set = context_->set_input(0, sequence);
  EXPECT_FALSE(set.ok() && context_->run().ok());
}

TEST_F(FaultMisuse, UnknownNamesListWhatThereIs) {
  const auto index = context_->input_index("no such input");
  ASSERT_FALSE(index.ok());
  EXPECT_EQ(index.error().kind(), ErrorKind::not_found);
  EXPECT_NE(index.error().message().find(port_->name), std::string::npos);
  EXPECT_FALSE(context_->set_input(1000, HostValue()).ok());
  EXPECT_FALSE(context_->set_output(1000, Tensor()).ok());
}

TEST_F(FaultMisuse, OutputMemoryTooSmall) {
  set_fitting();
  ASSERT_TRUE(context_->run().ok());
  const Tensor& result = context_->output(0).tensor;
  ASSERT_GT(result.bytes(), 1);
  ASSERT_TRUE(context_->set_output(0, zeros(result.dtype, {1})).ok());
  const auto done = context_->run();
  if (result.elems() > 1) {
    EXPECT_FALSE(done.ok());
  }
  // The context recovers with its own memory.
  ASSERT_TRUE(context_->set_output(0, Tensor()).ok());
  const auto again = context_->run();
  EXPECT_TRUE(again.ok()) << error_of(again);
}

TEST_F(FaultMisuse, DimsBeyondAllMemory) {
  // 64 TiB, of which no byte is touched: reserved address space is enough for the input itself.
  Dims huge = fitting_;
  size_t free_dim = huge.size();
  for (size_t d = 0; d < huge.size(); ++d)
    if (!port_->type.shape[static_cast<int64_t>(d)].is_constant()) free_dim = d;
  ASSERT_LT(free_dim, huge.size()) << "the model has no free dim";
  set_fitting();
  huge[free_dim] = int64_t{1} << 44;
  std::byte one{};
  const auto set = context_->set_input(0, Tensor::wrap(port_->type.dtype, huge, &one));
  if (!set.ok()) return;
  const auto use = context_->memory_use();
  if (use.ok()) {
    EXPECT_GT(use->bytes, int64_t{1} << 40);
  }
  const MemoryLimit limit(uint64_t{8} << 30);
  const auto done = context_->run();
  ASSERT_FALSE(done.ok());
  EXPECT_EQ(done.error().kind(), ErrorKind::out_of_memory) << done.error().message();
  // And the context is as good as before.
  set_fitting();
  const auto again = context_->run();
  EXPECT_TRUE(again.ok()) << error_of(again);
}

TEST_F(FaultMisuse, ElementCountsBeyondInt64) {
  Dims huge(fitting_.size(), int64_t{1} << 40);
  std::byte one{};
  const auto set = context_->set_input(0, Tensor::wrap(port_->type.dtype, huge, &one));
  const auto done = set.ok() ? context_->run() : set;
  EXPECT_FALSE(done.ok());
}

TEST(FaultFiles, MissingFilesAndFolders) {
  for (const char* path : {"/no/such/file.engine", "/", ""}) {
    const auto engine = runtime::Engine::load_file(path, {.log = Log()});
    ASSERT_FALSE(engine.ok()) << path;
    EXPECT_NE(engine.error().message().find(path), std::string::npos) << engine.error().message();
    const auto built = build_engine_from_file(path, BuildOptions());
    ASSERT_FALSE(built.ok()) << path;
    EXPECT_NE(built.error().message().find(path), std::string::npos) << built.error().message();
  }
}

TEST(FaultFiles, OneKindOfFileInPlaceOfAnother) {
  const auto engine = runtime::Engine::load_file(small_model("cnn_residual"), {.log = Log()});
  ASSERT_FALSE(engine.ok());
  EXPECT_EQ(engine.error().kind(), ErrorKind::bad_engine);
  const std::string path = (std::filesystem::temp_directory_path() / strf("tenon-fault-{}.onnx", ::getpid())).string();
  ASSERT_TRUE(write_file(path, small_engine("cnn_residual")).ok());
  EXPECT_FALSE(build_engine_from_file(path, BuildOptions()).ok());
  ASSERT_TRUE(write_file(path, {}).ok());
  EXPECT_FALSE(build_engine_from_file(path, BuildOptions()).ok());
  EXPECT_FALSE(runtime::Engine::load_file(path, {.log = Log()}).ok());
  std::filesystem::remove(path);
}

TEST(FaultFiles, UnknownTargetsAreNamed) {
  runtime::LoadOptions options;
  options.target = "sm_999";
  const auto engine = runtime::Engine::load(small_engine("cnn_residual"), nullptr, options);
  ASSERT_FALSE(engine.ok());
  EXPECT_NE(engine.error().message().find("sm_999"), std::string::npos);
  BuildOptions build;
  build.targets = {"sm_999"};
  const auto bytes = build_engine_from_file(small_model("cnn_residual"), build);
  ASSERT_FALSE(bytes.ok());
  EXPECT_NE(bytes.error().message().find("sm_999"), std::string::npos);
}

TEST(FaultBuild, DimsThatDoNotFitTheModel) {
  BuildOptions options;
  options.input_dims["no such input"] = {1};
  const auto unknown = build_engine_from_file(small_model("cnn_residual"), options);
  EXPECT_FALSE(unknown.ok()) << "a name that no input has is a mistake to report";
}

TEST(FaultBuild, Cancelled) {
  BuildOptions options;
  options.progress = [](std::string_view, double) { return false; };
  const auto bytes = build_engine_from_file(small_model("cnn_residual"), options);
  ASSERT_FALSE(bytes.ok());
  EXPECT_EQ(bytes.error().kind(), ErrorKind::cancelled);
}

TEST(FaultBuild, DamagedModelsDoNotCrash) {
  const MemoryLimit limit(uint64_t{4} << 30);
  for (const char* name : {"cnn_residual", "loop_accumulate", "detector"}) {
    const auto text = read_text(small_model(name));
    ASSERT_TRUE(text.ok());
    const ByteView whole = view_of(*text);
    uint64_t state = 7;
    for (int round = 0; round < 60; ++round) {
      state = state * 6364136223846793005u + 1442695040888963407u;
      Bytes bytes(whole.begin(), whole.end());
      if (round % 3 == 0) bytes.resize(static_cast<size_t>(state >> 33) % bytes.size());
      if (round % 3 != 0) bytes[static_cast<size_t>(state >> 33) % bytes.size()] ^= static_cast<std::byte>(1u << (state >> 20 & 7));
      const auto model = onnx::read_model(bytes, nullptr, "/nonexistent");
      if (!model.ok()) continue;
      BuildOptions options;
      options.log = Log([](Severity, std::string_view) {});
      (void)build_engine(*model, options);
    }
  }
  SUCCEED();
}

/// Builds, loads and runs the graph on one number; the first error.
Result<void> run_all(std::string_view text) {
  TENON_TRY(module, ir::parse_module(text, ops::op_table()));
  BuildOptions options;
  options.log = Log([](Severity, std::string_view) {});
  TENON_TRY(bytes, build_engine(std::move(module), options));
  const auto kept = std::make_shared<const Bytes>(std::move(bytes));
  TENON_TRY(engine, runtime::Engine::load(*kept, kept, runtime::LoadOptions()));
  TENON_TRY(context, runtime::Context::create(engine));
  const float one = 1;
  TENON_OK(context->set_input(0, make_tensor<float>(DType::f32, {1}, std::span(&one, 1))));
  return context->run();
}

TEST(FaultBuild, SmallModelsThatAskForAllMemory) {
  const MemoryLimit limit(uint64_t{4} << 30);
  // 2^50 elements each, known when the model is built: all of these fit into a page.
  for (const std::string_view node :
       {"%s: i64[1] = constant [1125899906842624] %v: f32[1] = constant [0] %y = ConstantOfShape(%s, %v)",
        "%s: i64[2] = constant [1099511627776, 1099511627776] %v: f32[1] = constant [0] "
        "%y = ConstantOfShape(%s, %v)",
        "%s: i64[1] = constant [1125899906842624] %y = Expand(%x, %s)", "%s: i64[1] = constant [1125899906842624] %y = Tile(%x, %s)",
        "%s: i64[2] = constant [0, 1125899906842624] %y = Pad(%x, %s)",
        "%a: i64[] = constant [0] %b: i64[] = constant [1125899906842624] %c: i64[] = constant [1] "
        "%y = Range(%a, %b, %c)"}) {
    const auto done = run_all(strf("graph main(%x: f32[1]) -> (%y, %x) {{ {} }}", node));
    ASSERT_FALSE(done.ok()) << node;
    EXPECT_TRUE(done.error().kind() == ErrorKind::out_of_memory || done.error().message().find("elements") != std::string::npos)
        << node << ": " << done.error().message();
  }
}

}  // namespace
}  // namespace tenon
