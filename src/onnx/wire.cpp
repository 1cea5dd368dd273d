#include "onnx/wire.h"

#include <protozero/varint.hpp>

namespace tenon::onnx {
namespace {

using protozero::pbf_wire_type;

std::string_view wire_name(pbf_wire_type type) {
  switch (type) {
    case pbf_wire_type::varint: return "a varint";
    case pbf_wire_type::fixed64: return "64 bits";
    case pbf_wire_type::length_delimited: return "bytes";
    case pbf_wire_type::fixed32: return "32 bits";
    default: return "unknown";
  }
}

std::string_view explain(const protozero::exception& error) {
  if (dynamic_cast<const protozero::end_of_buffer_exception*>(&error)) return "the message ends inside a field";
  if (dynamic_cast<const protozero::varint_too_long_exception*>(&error)) return "a number has more than 64 bits";
  if (dynamic_cast<const protozero::unknown_pbf_wire_type_exception*>(&error)) return "not a protobuf field (unknown wire type)";
  if (dynamic_cast<const protozero::invalid_tag_exception*>(&error)) return "not a protobuf field (number out of range)";
  return "not a protobuf message";
}

ByteView view(const char* begin, const char* end) { return {reinterpret_cast<const std::byte*>(begin), static_cast<size_t>(end - begin)}; }

}  // namespace

Message::Message(ByteView bytes, WireState& state, int depth)
    : reader_(reinterpret_cast<const char*>(bytes.data()), bytes.size()), state_(&state), begin_(at()), field_(begin_), depth_(depth) {}

void Message::fail_at(const char* at, std::string_view what, ErrorKind kind) {
  if (!state_->error) state_->error = tenon::fail(kind, "at byte {}: {}", offset_of(at), what);
}
void Message::fail(std::string_view what, ErrorKind kind) { fail_at(field_, what, kind); }
void Message::fail_whole(std::string_view what) { fail_at(begin_, what, ErrorKind::invalid_model); }

template <class Read>
auto Message::guarded(Read read) -> decltype(read()) {
  if (state_->error) return {};
  try {
    return read();
  } catch (const protozero::exception& error) {
    fail(explain(error));
    return {};
  }
}

bool Message::next() {
  return guarded([&] {
    if (unread_) skip();
    if (state_->error) return false;
    field_ = at();
    if (!reader_.next()) return false;
    tag_ = reader_.tag();
    return unread_ = true;
  });
}

void Message::skip() {
  unread_ = false;
  if (!reader_.has_wire_type(pbf_wire_type::length_delimited)) return reader_.skip();
  take();
}

bool Message::wants(pbf_wire_type type) {
  if (state_->error) return false;
  unread_ = false;
  if (reader_.has_wire_type(type)) return true;
  fail(strf("field {} holds {}, wanted {}", tag_, wire_name(reader_.wire_type()), wire_name(type)));
  return false;
}

ByteView Message::take() {
  const char* from = at();
  const char* const end = from + reader_.length();
  const uint64_t size = protozero::decode_varint(&from, end);
  const auto left = static_cast<uint64_t>(end - from);
  if (size > left) {
    fail(strf("field {} wants {} bytes, the message has {} left", tag_, size, left));
    return {};
  }
  reader_ = protozero::pbf_reader(from + size, left - size);
  return view(from, from + size);
}

uint64_t Message::varint() {
  return wants(pbf_wire_type::varint) ? guarded([&] { return reader_.get_uint64(); }) : 0;
}
float Message::real() {
  return wants(pbf_wire_type::fixed32) ? guarded([&] { return reader_.get_float(); }) : 0;
}
ByteView Message::bytes() {
  return wants(pbf_wire_type::length_delimited) ? guarded([&] { return take(); }) : ByteView{};
}

Message Message::message() {
  if (depth_ + 1 >= kMaxDepth) fail(strf("messages are nested deeper than {} levels", kMaxDepth));
  const ByteView content = bytes();
  return state_->error ? Message({state_->base, 0}, *state_, 0) : Message(content, *state_, depth_ + 1);
}

ByteView Message::elements() {
  if (reader_.has_wire_type(pbf_wire_type::length_delimited)) return bytes();
  unread_ = false;
  const char* from = at();
  guarded([&] { return reader_.skip(), true; });
  return state_->error ? ByteView{} : view(from, at());
}

void Message::append(std::vector<int64_t>& out) {
  if (!reader_.has_wire_type(pbf_wire_type::length_delimited)) {
    out.push_back(int64());
    return;
  }
  const std::string_view run = text();
  guarded([&] {
    for (const char *from = run.data(), *end = from + run.size(); from != end;)
      out.push_back(static_cast<int64_t>(protozero::decode_varint(&from, end)));
    return true;
  });
}

void Message::append(std::vector<float>& out) {
  if (!reader_.has_wire_type(pbf_wire_type::length_delimited)) {
    out.push_back(real());
    return;
  }
  const ByteView run = bytes();
  if (run.size() % sizeof(float) != 0) return fail(strf("field {}: {} bytes are no whole number of floats", tag_, run.size()));
  const size_t had = out.size();
  out.resize(had + run.size() / sizeof(float));
  if (!run.empty()) std::memcpy(out.data() + had, run.data(), run.size());
}

}  // namespace tenon::onnx
