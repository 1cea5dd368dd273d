// Device memory, streams and runs that do not wait, used wrongly: each is an error that says what is wrong, and the context is as good as
// before.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <tenon/c.h>

#include "tests/api/mock_stream.h"

namespace {

using tenon_test::engine_of;
using tenon_test::MockStream;
using testing::HasSubstr;

constexpr const char* kGraph = "graph main(%x: f32[n]) -> (%y) { %y: f32[n] = Pointwise(%x) expr={add(x0:f32, 1:f32)} }";

class FaultDevice : public testing::Test {
 protected:
  FaultDevice() { open(kGraph, "mock_whole", "mock"); }
  ~FaultDevice() override { close(); }

  void open(const char* graph, const char* target, const char* device) {
    close();
    tenon_load_options options = {};
    options.size = sizeof options;
    options.device = device;
    const auto file = engine_of(graph, target);
    ASSERT_EQ(tenon_engine_load_memory(file.data(), file.size(), &options, &engine_), TENON_STATUS_OK) << tenon_last_error();
    ASSERT_EQ(tenon_context_create(engine_, &context_), TENON_STATUS_OK) << tenon_last_error();
  }
  void close() {
    for (tenon_value* value : values_) tenon_value_free(value);
    values_.clear();
    tenon_context_free(context_);
    tenon_engine_free(engine_);
    context_ = nullptr;
    engine_ = nullptr;
  }
  tenon_value* on_host(std::vector<float> elems) {
    tenon_value* out = nullptr;
    const auto count = static_cast<int64_t>(elems.size());
    EXPECT_EQ(tenon_value_tensor(TENON_DTYPE_F32, 1, &count, elems.data(), &out), TENON_STATUS_OK) << tenon_last_error();
    values_.push_back(out);
    return out;
  }
  tenon_value* on_device(std::vector<float> elems) {
    tenon_value* out = nullptr;
    EXPECT_EQ(tenon_value_to_device(engine_, on_host(std::move(elems)), &out), TENON_STATUS_OK) << tenon_last_error();
    values_.push_back(out);
    return out;
  }
  static tenon_tensor view(const tenon_value* value) {
    tenon_tensor out = {};
    out.size = sizeof out;
    EXPECT_EQ(tenon_value_as_tensor(value, &out), TENON_STATUS_OK) << tenon_last_error();
    return out;
  }
  std::vector<float> elems(const tenon_value* value) {
    tenon_value* host = nullptr;
    EXPECT_EQ(tenon_value_to_host(value, &host), TENON_STATUS_OK) << tenon_last_error();
    values_.push_back(host);
    const tenon_tensor tensor = view(host);
    const auto* first = static_cast<const float*>(tensor.data);
    return {first, first + tensor.dims[0]};
  }
  /// The context runs as if nothing had been.
  void expect_it_works() {
    const tenon_tensor x = view(on_device({1, 2}));
    tenon_value* y = on_device({0, 0});
    const tenon_tensor out = view(y);
    ASSERT_EQ(tenon_context_set_input_tensor(context_, 0, &x), TENON_STATUS_OK) << tenon_last_error();
    ASSERT_EQ(tenon_context_set_output_tensor(context_, 0, &out), TENON_STATUS_OK) << tenon_last_error();
    ASSERT_EQ(tenon_context_enqueue(context_, nullptr), TENON_STATUS_OK) << tenon_last_error();
    ASSERT_EQ(tenon_context_synchronize(context_), TENON_STATUS_OK) << tenon_last_error();
    EXPECT_EQ(elems(y), (std::vector<float>{2, 3}));
  }
  void expect_refused(tenon_status got, tenon_status wanted, const char* text) {
    EXPECT_EQ(got, wanted);
    EXPECT_THAT(tenon_last_error(), HasSubstr(text));
  }

  std::vector<tenon_value*> values_;
  tenon_engine* engine_ = nullptr;
  tenon_context* context_ = nullptr;
};

TEST_F(FaultDevice, MemoryOfTheHostThatIsSaidToBeTheDevices) {
  const float elems[] = {1, 2};
  tenon_tensor x = view(on_device({1, 2}));
  x.data = elems;
  expect_refused(tenon_context_set_input_tensor(context_, 0, &x), TENON_STATUS_INVALID_ARGUMENT, "input 'x': the address is none of");
  expect_refused(tenon_context_set_output_tensor(context_, 0, &x), TENON_STATUS_INVALID_ARGUMENT, "output 'y': the address is none of");
  expect_it_works();
}

TEST_F(FaultDevice, AnotherDevice) {
  tenon_tensor x = view(on_device({1, 2}));
  x.device_index = 1;
  expect_refused(tenon_context_set_input_tensor(context_, 0, &x), TENON_STATUS_INVALID_ARGUMENT,
                 "input 'x': the tensor lies on mock:1, the engine runs on mock:0");
  x.device_index = 0;
  x.device_kind = TENON_DEVICE_CUDA;
  expect_refused(tenon_context_set_output_tensor(context_, 0, &x), TENON_STATUS_INVALID_ARGUMENT,
                 "output 'y': the tensor lies on cuda:0, the engine runs on mock:0");
  x.device_kind = static_cast<tenon_device_kind>(77);
  expect_refused(tenon_context_set_input_tensor(context_, 0, &x), TENON_STATUS_INVALID_ARGUMENT, "the tensor lies on device 77:0");
  expect_refused(tenon_context_place_output(context_, 0, TENON_DEVICE_CUDA), TENON_STATUS_INVALID_ARGUMENT, "cannot lie on cuda:0");
  expect_it_works();
}

TEST_F(FaultDevice, APlanOfTheHostAlone) {
  const tenon_tensor x = view(on_device({1, 2}));
  MockStream stream;
  tenon_engine* there = std::exchange(engine_, nullptr);
  tenon_context_free(std::exchange(context_, nullptr));
  const auto kept = std::exchange(values_, {});
  open(kGraph, "mock_whole", "cpu");
  expect_refused(tenon_context_set_input_tensor(context_, 0, &x), TENON_STATUS_INVALID_ARGUMENT,
                 "the plan 'portable' runs on the host alone");
  expect_refused(tenon_context_set_output_tensor(context_, 0, &x), TENON_STATUS_INVALID_ARGUMENT, "runs on the host alone");
  expect_refused(tenon_context_set_input_value(context_, 0, kept[1]), TENON_STATUS_INVALID_ARGUMENT, "runs on the host alone");
  expect_refused(tenon_context_place_output(context_, 0, TENON_DEVICE_MOCK), TENON_STATUS_INVALID_ARGUMENT, "runs on the host alone");
  expect_refused(tenon_context_enqueue(context_, nullptr), TENON_STATUS_UNSUPPORTED, "runs on the host alone");
  ASSERT_EQ(tenon_context_set_input_value(context_, 0, on_host({1, 2})), TENON_STATUS_OK);
  expect_refused(tenon_context_run_on(context_, stream.handle()), TENON_STATUS_INVALID_ARGUMENT, "a stream was given");
  tenon_value* out = nullptr;
  expect_refused(tenon_value_to_device(engine_, on_host({1}), &out), TENON_STATUS_INVALID_ARGUMENT, "load the engine with a device");
  EXPECT_EQ(tenon_context_run(context_), TENON_STATUS_OK) << tenon_last_error();
  for (tenon_value* value : kept) tenon_value_free(value);
  tenon_engine_free(there);
}

TEST_F(FaultDevice, TooLittleMemory) {
  tenon_tensor x = view(on_device({1, 2}));
  x.bytes = 7;
  expect_refused(tenon_context_set_input_tensor(context_, 0, &x), TENON_STATUS_INVALID_ARGUMENT,
                 "input 'x': f32[2] has 8 bytes, the tensor's memory 7");
  const int64_t three = 3;
  x.dims = &three;
  x.bytes = 12;
  expect_refused(tenon_context_set_input_tensor(context_, 0, &x), TENON_STATUS_INVALID_ARGUMENT,
                 "ends 8 bytes after the address, 12 are wanted");
  const tenon_tensor wide = view(on_device({1, 2, 3})), narrow = view(on_device({0, 0}));
  ASSERT_EQ(tenon_context_set_input_tensor(context_, 0, &wide), TENON_STATUS_OK) << tenon_last_error();
  ASSERT_EQ(tenon_context_set_output_tensor(context_, 0, &narrow), TENON_STATUS_OK) << tenon_last_error();
  expect_refused(tenon_context_enqueue(context_, nullptr), TENON_STATUS_INVALID_ARGUMENT,
                 "output 'y' needs 12 bytes for f32[3], its memory has 8");
  expect_it_works();
}

TEST_F(FaultDevice, TensorsThatAreNone) {
  tenon_tensor x = view(on_device({1, 2}));
  const tenon_tensor good = x;
  expect_refused(tenon_context_set_input_tensor(context_, 0, nullptr), TENON_STATUS_INVALID_ARGUMENT, "argument 'tensor' is null");
  x.size = 8;
  expect_refused(tenon_context_set_input_tensor(context_, 0, &x), TENON_STATUS_INVALID_ARGUMENT, "the struct's size field is 8");
  x = good;
  x.data = nullptr;
  expect_refused(tenon_context_set_input_tensor(context_, 0, &x), TENON_STATUS_INVALID_ARGUMENT, "argument 'data' is null");
  x = good;
  x.dtype = TENON_DTYPE_I32;
  expect_refused(tenon_context_set_input_tensor(context_, 0, &x), TENON_STATUS_INVALID_ARGUMENT, "input 'x' must be f32, got i32");
  expect_refused(tenon_context_set_output_tensor(context_, 0, &x), TENON_STATUS_INVALID_ARGUMENT,
                 "output 'y' is f32, its memory is said to be i32");
  x = good;
  x.data = static_cast<const char*>(x.data) + 1;
  expect_refused(tenon_context_set_input_tensor(context_, 0, &x), TENON_STATUS_INVALID_ARGUMENT, "must be aligned to 4 bytes");
  expect_refused(tenon_context_set_input_tensor(context_, 5, &good), TENON_STATUS_INVALID_ARGUMENT, "input 5 of 1");
  // A struct of an older header has no device: its memory is the host's.
  const float elems[] = {1, 2};
  x = good;
  x.size = offsetof(tenon_tensor, device_kind);
  x.data = elems;
  EXPECT_EQ(tenon_context_set_input_tensor(context_, 0, &x), TENON_STATUS_OK) << tenon_last_error();
  EXPECT_EQ(tenon_context_run(context_), TENON_STATUS_OK) << tenon_last_error();
  expect_it_works();
}

TEST_F(FaultDevice, StreamsThatAreNone) {
  const tenon_tensor x = view(on_device({1}));
  ASSERT_EQ(tenon_context_set_input_tensor(context_, 0, &x), TENON_STATUS_OK);
  ASSERT_EQ(tenon_context_place_output(context_, 0, TENON_DEVICE_MOCK), TENON_STATUS_OK);
  ASSERT_EQ(tenon_context_enqueue(context_, nullptr), TENON_STATUS_OK) << tenon_last_error();
  tenon_value* y = nullptr;
  ASSERT_EQ(tenon_context_output_value(context_, 0, &y), TENON_STATUS_OK) << tenon_last_error();
  values_.push_back(y);
  void* gone = nullptr;  // nothing opens a queue after it, which could lie where it was
  {
    const MockStream stream;
    gone = stream.handle();
  }
  int other = 0;
  for (void* stream : {gone, static_cast<void*>(&other)}) {
    expect_refused(tenon_value_use_on(y, stream), TENON_STATUS_INVALID_ARGUMENT, "the stream is none of the mock device");
    expect_refused(tenon_context_run_on(context_, stream), TENON_STATUS_INVALID_ARGUMENT, "the stream is none of the mock device");
    expect_refused(tenon_context_enqueue(context_, stream), TENON_STATUS_INVALID_ARGUMENT, "the stream is none of the mock device");
  }
  expect_refused(tenon_value_use_on(y, nullptr), TENON_STATUS_INVALID_ARGUMENT, "argument 'stream' is null");
  tenon_tensor out = {};
  out.size = sizeof out;
  expect_refused(tenon_context_output(context_, 0, &out), TENON_STATUS_INVALID_ARGUMENT, "has not run, or its last run failed");
  expect_it_works();
}

TEST_F(FaultDevice, AStreamThatIsClosedBeforeTheValuesThatKnowIt) {
  const tenon_tensor x = view(on_device({1}));
  ASSERT_EQ(tenon_context_set_input_tensor(context_, 0, &x), TENON_STATUS_OK);
  ASSERT_EQ(tenon_context_place_output(context_, 0, TENON_DEVICE_MOCK), TENON_STATUS_OK);
  tenon_value* y = nullptr;
  {
    const MockStream stream;
    ASSERT_EQ(tenon_context_enqueue(context_, stream.handle()), TENON_STATUS_OK) << tenon_last_error();
    ASSERT_EQ(tenon_context_output_value(context_, 0, &y), TENON_STATUS_OK) << tenon_last_error();
  }
  tenon_value_free(y);
  expect_it_works();
}

TEST_F(FaultDevice, RunsThatMustNotWait) {
  const tenon_tensor x = view(on_device({1, 2})), host = view(on_host({1, 2}));
  ASSERT_EQ(tenon_context_set_input_tensor(context_, 0, &host), TENON_STATUS_OK) << tenon_last_error();
  expect_refused(tenon_context_enqueue(context_, nullptr), TENON_STATUS_INVALID_ARGUMENT, "input 'x' lies in the host's memory");
  ASSERT_EQ(tenon_context_set_input_tensor(context_, 0, &x), TENON_STATUS_OK) << tenon_last_error();
  expect_refused(tenon_context_enqueue(context_, nullptr), TENON_STATUS_INVALID_ARGUMENT, "output 'y' would lie in the host's memory");
  ASSERT_EQ(tenon_context_set_output_tensor(context_, 0, &host), TENON_STATUS_OK) << tenon_last_error();
  expect_refused(tenon_context_enqueue(context_, nullptr), TENON_STATUS_INVALID_ARGUMENT, "output 'y' would lie in the host's memory");
  ASSERT_EQ(tenon_context_set_input_value(context_, 0, nullptr), TENON_STATUS_OK);
  ASSERT_EQ(tenon_context_set_output_tensor(context_, 0, &x), TENON_STATUS_OK) << tenon_last_error();
  expect_refused(tenon_context_enqueue(context_, nullptr), TENON_STATUS_INVALID_ARGUMENT, "input 'x' has no value");
  expect_it_works();
}

TEST_F(FaultDevice, HostStepsUnderARunThatMustNotWait) {
  open(kGraph, "mock", "mock");
  const tenon_tensor x = view(on_device({1, 2}));
  tenon_value* y = on_device({0, 0});
  const tenon_tensor out = view(y);
  int64_t count = 0;
  const char* name = nullptr;
  ASSERT_EQ(tenon_engine_host_step_count(engine_, &count), TENON_STATUS_OK);
  ASSERT_EQ(count, 1) << "the step is the host's in this plan";
  ASSERT_EQ(tenon_engine_host_step_name(engine_, 0, &name), TENON_STATUS_OK);
  expect_refused(tenon_engine_host_step_name(engine_, 1, &name), TENON_STATUS_INVALID_ARGUMENT, "host step 1 of 1");
  ASSERT_EQ(tenon_context_set_input_tensor(context_, 0, &x), TENON_STATUS_OK) << tenon_last_error();
  ASSERT_EQ(tenon_context_set_output_tensor(context_, 0, &out), TENON_STATUS_OK) << tenon_last_error();
  expect_refused(tenon_context_enqueue(context_, nullptr), TENON_STATUS_UNSUPPORTED, "the host runs 1 of the steps");
  EXPECT_THAT(tenon_last_error(), HasSubstr(name));
  EXPECT_EQ(tenon_context_run(context_), TENON_STATUS_OK) << tenon_last_error();
  EXPECT_EQ(elems(y), (std::vector<float>{2, 3}));
}

TEST_F(FaultDevice, WhatGoesWrongOnTheDeviceIsToldBySynchronize) {
  open("graph main(%x: f32[3], %i: i64[1]) -> (%y) { %y: f32[1] = Gather(%x, %i) axis=0 }", "mock_whole", "mock");
  const tenon_tensor x = view(on_device({1, 2, 3}));
  const int64_t one = 1, outside = 7, inside = 2;
  ASSERT_EQ(tenon_context_set_input_tensor(context_, 0, &x), TENON_STATUS_OK) << tenon_last_error();
  ASSERT_EQ(tenon_context_place_output(context_, 0, TENON_DEVICE_MOCK), TENON_STATUS_OK);
  for (const int64_t index : {outside, inside}) {
    tenon_value *host = nullptr, *there = nullptr;
    ASSERT_EQ(tenon_value_tensor(TENON_DTYPE_I64, 1, &one, &index, &host), TENON_STATUS_OK);
    ASSERT_EQ(tenon_value_to_device(engine_, host, &there), TENON_STATUS_OK) << tenon_last_error();
    values_.insert(values_.end(), {host, there});
    ASSERT_EQ(tenon_context_set_input_value(context_, 1, there), TENON_STATUS_OK) << tenon_last_error();
    ASSERT_EQ(tenon_context_enqueue(context_, nullptr), TENON_STATUS_OK) << tenon_last_error();
    const tenon_status done = tenon_context_synchronize(context_);
    EXPECT_EQ(done == TENON_STATUS_OK, index == inside) << tenon_last_error();
  }
}

TEST_F(FaultDevice, ValuesInTheWrongPlace) {
  tenon_value* there = on_device({1});
  tenon_value* out = nullptr;
  expect_refused(tenon_value_to_device(engine_, there, &out), TENON_STATUS_INVALID_ARGUMENT, "in a device's memory already");
  const tenon_value* const items[] = {there};
  expect_refused(tenon_value_compound(TENON_KIND_SEQUENCE, 1, items, &out), TENON_STATUS_INVALID_ARGUMENT,
                 "item 0 lies in a device's memory");
  const char* text = "a";
  const size_t length = 1;
  tenon_value* strings = nullptr;
  ASSERT_EQ(tenon_value_strings(0, nullptr, &text, &length, &strings), TENON_STATUS_OK);
  values_.push_back(strings);
  expect_refused(tenon_value_to_device(engine_, strings, &out), TENON_STATUS_UNSUPPORTED, "strings have no place");
  // A result in the caller's memory is the caller's already.
  expect_it_works();
  expect_refused(tenon_context_output_value(context_, 0, &out), TENON_STATUS_INVALID_ARGUMENT, "lies in the caller's memory on the device");
  for (tenon_status (*function)(const tenon_value*, tenon_value**) : {&tenon_value_to_host, &tenon_value_share}) {
    expect_refused(function(nullptr, &out), TENON_STATUS_INVALID_ARGUMENT, "argument 'value' is null");
    expect_refused(function(there, nullptr), TENON_STATUS_INVALID_ARGUMENT, "argument 'out' is null");
  }
}

}  // namespace
