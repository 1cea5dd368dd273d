#include "tests/api/mock_stream.h"

#include <gtest/gtest.h>

#include "backends/mock/device/mock_device.h"
#include "backends/mock/device/mock_queue.h"
#include "build.h"
#include "ir/text.h"
#include "ops/row.h"

namespace tenon_test {

std::vector<std::byte> engine_of(std::string_view text, std::string_view target) {
  auto module = tenon::ir::parse_module(text, tenon::ops::op_table());
  EXPECT_TRUE(module.ok()) << module.error().message();
  if (!module.ok()) return {};
  tenon::BuildOptions options;
  options.targets = {std::string(target)};
  auto bytes = tenon::build_engine(std::move(*module), options);
  EXPECT_TRUE(bytes.ok()) << bytes.error().message();
  return bytes.ok() ? std::vector<std::byte>(bytes->begin(), bytes->end()) : std::vector<std::byte>();
}

MockStream::MockStream() : stream_(*tenon::mock::device_api().open(0)) {}

MockStream::~MockStream() {
  open();
  tenon::mock::device_api().close(stream_);
}

void MockStream::block() {
  gate_ = {};
  blocked_ = true;
  static_cast<tenon::mock::Queue*>(stream_)->push([gate = gate_.get_future().share()]() -> tenon::Result<void> {
    gate.wait();
    return {};
  });
}

void MockStream::open() {
  if (blocked_) gate_.set_value();
  blocked_ = false;
}

void MockStream::copy(void* to, const void* from, size_t bytes) {
  const auto done = tenon::mock::device_api().copy(stream_, static_cast<std::byte*>(to), static_cast<const std::byte*>(from),
                                                   static_cast<int64_t>(bytes), tenon::engine::CopyKind::within);
  EXPECT_TRUE(done.ok());
}

void MockStream::wait() { EXPECT_TRUE(tenon::mock::device_api().synchronize(stream_).ok()); }

}  // namespace tenon_test
