// For tests of the public interface: engines for the mock device, and its streams as a caller has them. No type of Tenon's: the public
// headers and the internal ones name theirs alike.
#pragma once
#include <cstddef>
#include <future>
#include <string_view>
#include <vector>

namespace tenon_test {

/// An engine file of a graph's text for a target; a failed test and no bytes where it cannot be built.
std::vector<std::byte> engine_of(std::string_view text, std::string_view target);

/// A stream of the mock device that does nothing until it is opened: work of others behind it waits.
class MockStream {
 public:
  MockStream();
  ~MockStream();
  MockStream(const MockStream&) = delete;
  MockStream& operator=(const MockStream&) = delete;
  void* handle() const { return stream_; }
  /// The stream stops here until open() is called.
  void block();
  void open();
  /// In order with the stream's other work.
  void copy(void* to, const void* from, size_t bytes);
  void wait();

 private:
  void* stream_;
  std::promise<void> gate_;
  bool blocked_ = false;
};

}  // namespace tenon_test
