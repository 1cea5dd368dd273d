// The C interface: errors, structs of an older header, lifetimes, outputs.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <tenon/build.h>

namespace {

using testing::HasSubstr;

/// y = x · w, s = x + x, c = w; x: f32[n, 2].
tenon::HostMemory file_of_test() {
  static const float w[] = {1, 2, 3, 4};
  tenon::Network network;
  const auto x = network.add_input("x", tenon::DType::f32, {"n", 2});
  const auto weight = network.add_constant(tenon::Weights::of(std::span<const float>(w), {2, 2}), "w");
  (void)network.mark_output(*network.add_matrix_multiply(*x, *weight), "y");
  (void)network.mark_output(*network.add_elementwise(*x, *x, tenon::ElementWiseOperation::sum), "s");
  (void)network.mark_output(*weight, "c");
  auto file = tenon::Builder().build(network);
  EXPECT_TRUE(file.ok()) << file.error().message;
  return *std::move(file);
}

class CApi : public testing::Test {
 protected:
  CApi() {
    EXPECT_EQ(tenon_engine_load_memory(file.data(), file.size(), nullptr, &engine), TENON_STATUS_OK) << tenon_last_error();
    EXPECT_EQ(tenon_context_create(engine, &context), TENON_STATUS_OK) << tenon_last_error();
  }
  ~CApi() override {
    tenon_context_free(context);
    tenon_engine_free(engine);
  }
  tenon_status set(std::vector<int64_t> dims, const float* data) {
    return tenon_context_set_input(context, 0, TENON_DTYPE_F32, static_cast<int64_t>(dims.size()), dims.data(), data);
  }
  tenon_tensor output(int64_t index) {
    tenon_tensor out = {};
    out.size = sizeof out;
    EXPECT_EQ(tenon_context_output(context, index, &out), TENON_STATUS_OK) << tenon_last_error();
    return out;
  }
  const tenon::HostMemory file = file_of_test();
  tenon_engine* engine = nullptr;
  tenon_context* context = nullptr;
};

TEST_F(CApi, DescribesTheEngine) {
  int64_t count = 0, index = -1;
  EXPECT_EQ(tenon_engine_io_count(engine, TENON_IO_OUTPUT, &count), TENON_STATUS_OK);
  EXPECT_EQ(count, 3);
  tenon_io_info info = {};
  info.size = sizeof info;
  ASSERT_EQ(tenon_engine_io_info(engine, TENON_IO_INPUT, 0, &info), TENON_STATUS_OK);
  EXPECT_STREQ(info.name, "x");
  EXPECT_STREQ(info.type_text, "f32[n, 2]");
  EXPECT_EQ(info.rank, 2);
  EXPECT_EQ(info.dims[0], -1);
  EXPECT_STREQ(info.dim_texts[0], "n");
  EXPECT_EQ(tenon_engine_io_index(engine, TENON_IO_OUTPUT, "s", &index), TENON_STATUS_OK);
  EXPECT_EQ(index, 1);
  EXPECT_EQ(tenon_engine_io_index(engine, TENON_IO_OUTPUT, "z", &index), TENON_STATUS_NOT_FOUND);
  EXPECT_THAT(tenon_last_error(), HasSubstr("'y', 's', 'c'"));
}

TEST_F(CApi, AnOlderStructGetsWhatItHasRoomFor) {
  tenon_io_info info = {};
  info.size = offsetof(tenon_io_info, kind);
  info.rank = 77;
  ASSERT_EQ(tenon_engine_io_info(engine, TENON_IO_INPUT, 0, &info), TENON_STATUS_OK);
  EXPECT_STREQ(info.name, "x");
  EXPECT_EQ(info.rank, 77);
  info.size = 0;
  EXPECT_EQ(tenon_engine_io_info(engine, TENON_IO_INPUT, 0, &info), TENON_STATUS_INVALID_ARGUMENT);
}

TEST_F(CApi, RunsIntoItsOwnAndTheCallersMemory) {
  const float x[] = {1, 1, 2, 0};
  ASSERT_EQ(set({2, 2}, x), TENON_STATUS_OK) << tenon_last_error();
  int64_t rank = 0, dims[2] = {};
  ASSERT_EQ(tenon_context_output_shape(context, 0, 2, &rank, dims), TENON_STATUS_OK) << tenon_last_error();
  EXPECT_EQ(rank, 2);
  EXPECT_EQ(dims[0], 2);
  float y[4] = {};
  ASSERT_EQ(tenon_context_set_output(context, 0, y, sizeof y), TENON_STATUS_OK) << tenon_last_error();
  ASSERT_EQ(tenon_context_run(context), TENON_STATUS_OK) << tenon_last_error();
  EXPECT_EQ(std::vector<float>(y, y + 4), (std::vector<float>{4, 6, 2, 4}));
  EXPECT_EQ(output(0).data, y);
  EXPECT_EQ(output(1).bytes, sizeof x);
  EXPECT_EQ(static_cast<const float*>(output(1).data)[2], 4);
  ASSERT_EQ(tenon_context_set_output(context, 0, y, 4), TENON_STATUS_OK);
  EXPECT_EQ(tenon_context_run(context), TENON_STATUS_INVALID_ARGUMENT);
  EXPECT_THAT(tenon_last_error(), HasSubstr("output 'y' needs 16 bytes"));
  tenon_tensor out = {};
  out.size = sizeof out;
  EXPECT_EQ(tenon_context_output(context, 0, &out), TENON_STATUS_INVALID_ARGUMENT);
  EXPECT_THAT(tenon_last_error(), HasSubstr("its last run failed"));
}

TEST_F(CApi, ValuesOutliveRunsContextsAndEngines) {
  const float x[] = {1, 1}, zero[] = {0, 0};
  tenon_value *sum = nullptr, *weight = nullptr;
  ASSERT_EQ(set({1, 2}, x), TENON_STATUS_OK);
  ASSERT_EQ(tenon_context_run(context), TENON_STATUS_OK) << tenon_last_error();
  ASSERT_EQ(tenon_context_output_value(context, 1, &sum), TENON_STATUS_OK);
  ASSERT_EQ(tenon_context_output_value(context, 2, &weight), TENON_STATUS_OK);
  tenon_tensor tensor = {};
  tensor.size = sizeof tensor;
  ASSERT_EQ(tenon_value_as_tensor(weight, &tensor), TENON_STATUS_OK);
  static_cast<float*>(const_cast<void*>(tensor.data))[0] = 100;  // a copy: the engine's own weight stays as it is
  ASSERT_EQ(set({1, 2}, zero), TENON_STATUS_OK);
  ASSERT_EQ(tenon_context_run(context), TENON_STATUS_OK);
  EXPECT_EQ(static_cast<const float*>(output(2).data)[0], 1);
  tenon_engine_free(engine);
  tenon_context_free(context);
  engine = nullptr;
  context = nullptr;
  ASSERT_EQ(tenon_value_as_tensor(sum, &tensor), TENON_STATUS_OK);
  EXPECT_EQ(static_cast<const float*>(tensor.data)[0], 2);
  tenon_value_free(sum);
  tenon_value_free(weight);
}

TEST_F(CApi, RefusesWhatIsNoTensor) {
  const float x[] = {1, 1};
  const int64_t dims[] = {1, 2}, negative[] = {1, -2};
  EXPECT_EQ(tenon_context_set_input(context, 0, TENON_DTYPE_I64, 2, dims, x), TENON_STATUS_INVALID_ARGUMENT);
  EXPECT_EQ(tenon_context_set_input(context, 0, static_cast<tenon_dtype>(99), 2, dims, x), TENON_STATUS_INVALID_ARGUMENT);
  EXPECT_EQ(tenon_context_set_input(context, 0, TENON_DTYPE_F32, 2, negative, x), TENON_STATUS_INVALID_ARGUMENT);
  EXPECT_EQ(tenon_context_set_input(context, 0, TENON_DTYPE_F32, -1, dims, x), TENON_STATUS_INVALID_ARGUMENT);
  EXPECT_EQ(tenon_context_set_input(context, 0, TENON_DTYPE_F32, 2, dims, nullptr), TENON_STATUS_INVALID_ARGUMENT);
  EXPECT_THAT(tenon_last_error(), HasSubstr("input 'x'"));
  EXPECT_EQ(tenon_context_set_input(context, 0, TENON_DTYPE_F32, 2, dims, reinterpret_cast<const char*>(x) + 1),
            TENON_STATUS_INVALID_ARGUMENT);
  EXPECT_EQ(tenon_context_set_input(context, 7, TENON_DTYPE_F32, 2, dims, x), TENON_STATUS_INVALID_ARGUMENT);
  EXPECT_EQ(tenon_context_run(context), TENON_STATUS_INVALID_ARGUMENT);
  EXPECT_EQ(tenon_context_create(nullptr, &context), TENON_STATUS_INVALID_ARGUMENT);
  EXPECT_STREQ(tenon_last_error(), "argument 'engine' is null");
}

TEST(CValues, Compounds) {
  const char* texts[] = {"a", "bc"};
  const size_t lengths[] = {1, 2};
  const int64_t two = 2;
  const float numbers[] = {1, 2};
  tenon_value *keys = nullptr, *number = nullptr, *list = nullptr, *map = nullptr, *item = nullptr;
  ASSERT_EQ(tenon_value_strings(1, &two, texts, lengths, &keys), TENON_STATUS_OK);
  ASSERT_EQ(tenon_value_tensor(TENON_DTYPE_F32, 1, &two, numbers, &number), TENON_STATUS_OK);
  const tenon_value* const items[] = {number, number};
  ASSERT_EQ(tenon_value_compound(TENON_KIND_SEQUENCE, 2, items, &list), TENON_STATUS_OK);
  const tenon_value* const parts[] = {keys, list};
  ASSERT_EQ(tenon_value_compound(TENON_KIND_MAP, 2, parts, &map), TENON_STATUS_OK) << tenon_last_error();
  int64_t count = 0;
  EXPECT_EQ(tenon_value_count(map, &count), TENON_STATUS_OK);
  EXPECT_EQ(count, 2);
  ASSERT_EQ(tenon_value_item(map, 0, &item), TENON_STATUS_OK);
  const char* text = nullptr;
  size_t bytes = 0;
  ASSERT_EQ(tenon_value_string(item, 1, &text, &bytes), TENON_STATUS_OK);
  EXPECT_EQ(std::string(text, bytes), "bc");
  EXPECT_EQ(tenon_value_compound(TENON_KIND_OPTIONAL, 2, items, &item), TENON_STATUS_INVALID_ARGUMENT);
  EXPECT_EQ(tenon_value_compound(TENON_KIND_MAP, 1, parts, &item), TENON_STATUS_INVALID_ARGUMENT);
  for (tenon_value* value : {keys, number, list, map, item}) tenon_value_free(value);
}

TEST(CErrors, DamagedEnginesAndMissingFiles) {
  tenon_engine* engine = nullptr;
  EXPECT_EQ(tenon_engine_load_memory("nonsense", 8, nullptr, &engine), TENON_STATUS_BAD_ENGINE);
  EXPECT_NE(tenon_engine_load_file("/nowhere.engine", nullptr, &engine), TENON_STATUS_OK);
  EXPECT_THAT(tenon_last_error(), HasSubstr("/nowhere.engine"));
  EXPECT_EQ(engine, nullptr);
  EXPECT_STREQ(tenon_status_name(TENON_STATUS_BAD_ENGINE), "bad engine");
  EXPECT_STREQ(tenon_dtype_name(TENON_DTYPE_BF16), "bf16");
  EXPECT_EQ(tenon_dtype_bits(TENON_DTYPE_I4), 4);
}

}  // namespace
