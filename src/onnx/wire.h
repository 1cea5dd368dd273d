// Protobuf messages, field by field. The first thing that is wrong is kept, with its place in the file; from then on every message
// reads as if it ended, so that readers need no checks of their own. No exception leaves this layer.
#pragma once
#include <cstdint>
#include <new>
#include <optional>
#include <protozero/pbf_reader.hpp>
#include <string_view>
#include <vector>

#include "base/bytes.h"

namespace tenon::onnx {

/// What the messages of one file share.
struct WireState {
  const std::byte* base = nullptr;  // the first byte of the file
  std::optional<Error> error;       // the first one
};

class Message {
 public:
  /// Levels of messages in messages: what protobuf's own parsers take.
  static constexpr int kMaxDepth = 100;

  Message(ByteView bytes, WireState& state) : Message(bytes, state, 0) {}

  /// Moves to the next field, past the current one if nobody read it. False at the end and after an error.
  bool next();
  uint32_t tag() const { return tag_; }

  // The value of the current field, at most once; zero or empty after an error.
  uint64_t varint();
  int64_t int64() { return static_cast<int64_t>(varint()); }
  int32_t int32() { return static_cast<int32_t>(varint()); }  // protobuf's rule: the low 32 bits
  float real();
  ByteView bytes();
  std::string_view text() { return text_of(bytes()); }
  Message message();
  // Repeated scalars: a packed run of elements or a single one.
  void append(std::vector<int64_t>& out);
  void append(std::vector<float>& out);
  /// The wire form of a repeated scalar: the bytes of the packed run, or of the single element.
  ByteView elements();

  /// Of the first byte of the message in the file.
  uint64_t offset() const { return offset_of(begin_); }
  /// Keeps `what` as the error, at the current field, if it is the first one.
  void fail(std::string_view what, ErrorKind kind = ErrorKind::invalid_model);
  /// The same, at the start of the message.
  void fail_whole(std::string_view what);

 private:
  Message(ByteView bytes, WireState& state, int depth);
  void skip();
  bool wants(protozero::pbf_wire_type type);
  ByteView take();  // length, then bytes: 64-bit, where protozero's lengths end at 32 bits
  const char* at() const { return reader_.data().data(); }
  uint64_t offset_of(const char* at) const { return static_cast<uint64_t>(reinterpret_cast<const std::byte*>(at) - state_->base); }
  void fail_at(const char* at, std::string_view what, ErrorKind kind);
  template <class Read>
  auto guarded(Read read) -> decltype(read());

  protozero::pbf_reader reader_;
  WireState* state_;
  const char* begin_;
  const char* field_;  // start of the current field
  uint32_t tag_ = 0;
  int depth_ = 0;
  bool unread_ = false;
};

/// Reads one whole message with `read(Message, T&)`.
template <class T>
Result<T> read_whole(ByteView bytes, void (*read)(Message, T&)) {
  WireState state{.base = bytes.data(), .error = {}};
  T out;
  try {
    read(Message(bytes, state), out);
  } catch (const std::bad_alloc&) {
    return fail(ErrorKind::out_of_memory, "no memory for the contents of {} bytes", bytes.size());
  }
  if (state.error) return std::move(*state.error);
  return out;
}

}  // namespace tenon::onnx
