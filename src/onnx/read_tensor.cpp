// TensorProto and SparseTensorProto. Field numbers are those of onnx.proto.
#include <algorithm>
#include <charconv>

#include "onnx/read.h"

namespace tenon::onnx {
namespace {

bool has_elements(const TensorView& tensor) {
  return !tensor.raw.empty() || !tensor.joined.empty() || !tensor.strings.empty() || tensor.external.has_value();
}

/// Writers may leave empty fields of other kinds beside the one that holds the elements.
bool claim(Message& in, TensorView& tensor, Storage storage) {
  if (tensor.storage == storage || !has_elements(tensor)) {
    tensor.storage = storage;
    return true;
  }
  in.fail(strf("tensor '{}' has elements in more than one field", tensor.name));
  return false;
}

void add_elements(Message& in, TensorView& tensor, Storage storage) {
  const ByteView piece = in.elements();
  if (piece.empty() || !claim(in, tensor, storage)) return;
  if (!has_elements(tensor)) {
    tensor.raw = piece;
    return;
  }
  if (tensor.joined.empty()) tensor.joined.assign(tensor.raw.begin(), tensor.raw.end());
  tensor.joined.insert(tensor.joined.end(), piece.begin(), piece.end());
  tensor.raw = {};
}

uint64_t number(Message& in, std::string_view key, std::string_view text) {
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) in.fail(strf("external data: {} '{}' is no byte count", key, text));
  return value;
}

void read_external(Message& in, ExternalView& out) {
  std::string_view key;
  std::string_view value;
  Message entry = in.message();
  while (entry.next()) {
    if (entry.tag() == 1) key = entry.text();
    if (entry.tag() == 2) value = entry.text();
  }
  if (key == "location") out.location = value;
  if (key == "offset") out.offset = number(in, key, value);
  if (key == "length") out.length = number(in, key, value);
}

void check(Message& in, const TensorView& tensor) {
  if (tensor.data_type == kUndefined) return in.fail_whole(strf("tensor '{}' has no data type", tensor.name));
  if (std::ranges::any_of(tensor.dims, [](int64_t dim) { return dim < 0; }))
    return in.fail_whole(strf("tensor '{}' has a negative dim", tensor.name));
  if (tensor.external && tensor.external->location.empty())
    return in.fail_whole(strf("tensor '{}' has external data without a location", tensor.name));
  if (tensor.data_type != kString || tensor.external) return;
  const Result<int64_t> elems = tensor.elems();
  if (!elems) return in.fail_whole(elems.error().message());
  if (std::cmp_not_equal(*elems, tensor.strings.size()))
    return in.fail_whole(strf("tensor '{}' has {} strings, its dims want {}", tensor.name, tensor.strings.size(), *elems));
}

}  // namespace

void read(Message in, TensorView& out) {
  ExternalView external;
  bool is_external = false;
  out.offset = in.offset();
  while (in.next()) {
    switch (in.tag()) {
      case 1: in.append(out.dims); break;
      case 2: out.data_type = in.int32(); break;
      case 3: in.fail("tensors in segments are not supported", ErrorKind::unsupported); break;
      case 4: add_elements(in, out, Storage::float_data); break;
      case 5: add_elements(in, out, Storage::int32_data); break;
      case 6: {
        const std::string_view text = in.text();
        if (claim(in, out, Storage::string_data)) out.strings.push_back(text);
        break;
      }
      case 7: add_elements(in, out, Storage::int64_data); break;
      case 8: out.name = in.text(); break;
      case 9: {
        const ByteView raw = in.bytes();
        if ((out.storage == Storage::none || !raw.empty()) && claim(in, out, Storage::raw)) out.raw = raw;
        break;
      }
      case 10: add_elements(in, out, Storage::double_data); break;
      case 11: add_elements(in, out, Storage::uint64_data); break;
      case 13: read_external(in, external); break;
      case 14: is_external = in.int32() == 1; break;
    }
  }
  if (is_external && claim(in, out, Storage::external)) out.external = external;
  check(in, out);
}

void read(Message in, SparseTensorView& out) {
  while (in.next()) {
    switch (in.tag()) {
      case 1: read(in.message(), out.values = {}); break;
      case 2: read(in.message(), out.indices = {}); break;
      case 3: in.append(out.dims); break;
    }
  }
  if (std::ranges::any_of(out.dims, [](int64_t dim) { return dim < 0; }))
    in.fail_whole(strf("sparse tensor '{}' has a negative dim", out.values.name));
  if (out.values.data_type == kUndefined || out.indices.data_type == kUndefined)
    in.fail_whole(strf("sparse tensor '{}' lacks its values or its indices", out.values.name));
}

}  // namespace tenon::onnx
