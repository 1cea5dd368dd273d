#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <protozero/pbf_writer.hpp>

#include "base/file.h"
#include "onnx/value_file.h"

namespace tenon::onnx {
namespace {

using protozero::pbf_writer;

template <class Fill>
std::string tensor_bytes(int32_t type, const std::vector<int64_t>& dims, Fill fill) {
  std::string out;
  pbf_writer writer(out);
  for (const int64_t dim : dims) writer.add_int64(1, dim);
  writer.add_int32(2, type);
  writer.add_string(8, "t");
  fill(writer);
  return out;
}

/// The elements in hexadecimal, or the error.
std::string hex(const Result<Payload>& payload) {
  if (!payload.ok()) return payload.error().message();
  std::string out;
  for (const std::byte byte : payload->bytes) out += strf("{:02x}", static_cast<int>(byte));
  return out;
}
template <class Fill>
std::string elements(int32_t type, const std::vector<int64_t>& dims, Fill fill) {
  const std::string bytes = tensor_bytes(type, dims, fill);
  const Result<TensorView> tensor = read_tensor(view_of(bytes));
  return tensor.ok() ? hex(payload(*tensor)) : tensor.error().message();
}
std::string from_int32(int32_t type, const std::vector<int64_t>& dims, const std::vector<int32_t>& values) {
  return elements(type, dims, [&](pbf_writer& t) { t.add_packed_int32(5, values.begin(), values.end()); });
}
bool has(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

TEST(OnnxPayload, TypedFields) {
  EXPECT_EQ(from_int32(kInt32, {2}, {-2, 1}), "feffffff01000000");
  EXPECT_EQ(from_int32(kInt8, {3}, {-1, 127, 255}), "ff7fff");
  EXPECT_EQ(from_int32(kFloat16, {2}, {0x3c00, -1}), "003cffff");
  EXPECT_EQ(from_int32(kBool, {3}, {0, 1, 2}), "000101");
  EXPECT_EQ(from_int32(kInt4, {3}, {0x21, 0x0f}), "210f");
  EXPECT_EQ(from_int32(kUint2, {5}, {0xe4, 0x01}), "e401");
  EXPECT_EQ(from_int32(kFloat6E2M3, {3}, {0, 31, 63}), "001f3f");
  EXPECT_EQ(from_int32(kFloat, {0}, {}), "");
  EXPECT_EQ(elements(kUint32, {1}, [](pbf_writer& t) { t.add_uint64(11, 0xffffffff); }), "ffffffff");
  EXPECT_EQ(elements(kInt64, {1}, [](pbf_writer& t) { t.add_int64(7, -2); }), "feffffffffffffff");
  EXPECT_EQ(elements(kDouble, {}, [](pbf_writer& t) { t.add_double(10, 1); }), "000000000000f03f");
  EXPECT_EQ(elements(kComplex64, {1}, [](pbf_writer& t) { t.add_float(4, 1), t.add_float(4, 2); }), "0000803f00000040");
}

TEST(OnnxPayload, SixBitFloatsTakeAByteEach) {  // in the file a stream of bits, low bits first
  const auto raw = [](pbf_writer& t) { t.add_bytes(9, std::string("\x81\x30\xfc\x44\x01", 5)); };
  EXPECT_EQ(elements(kFloat6E3M2, {6}, raw), "0102033f0405");
  EXPECT_EQ(elements(kFloat6E3M2, {2, 3}, raw), "0102033f0405");
  EXPECT_TRUE(has(elements(kFloat6E3M2, {7}, raw), "has 5 bytes, its dims want 6"));
  EXPECT_TRUE(has(from_int32(kFloat6E3M2, {1}, {64}), "element 0 does not fit 6 bits"));
}

TEST(OnnxPayload, PiecesOfOneField) {
  const std::vector<int64_t> run = {1, 300};
  EXPECT_EQ(elements(kInt64, {4},
                     [&](pbf_writer& t) {
                       t.add_int64(7, 5);
                       t.add_packed_int64(7, run.begin(), run.end());
                       t.add_int64(7, 6);
                     }),
            "050000000000000001000000000000002c010000000000000600000000000000");
  EXPECT_TRUE(has(elements(kInt64, {1}, [](pbf_writer& t) { t.add_int64(7, 5), t.add_bytes(9, "12345678"); }), "more than one field"));
  EXPECT_EQ(elements(kInt64, {1}, [](pbf_writer& t) { t.add_int64(7, 5), t.add_bytes(9, ""); }), "0500000000000000");
}

TEST(OnnxPayload, FloatsAndRawAreViews) {
  const std::vector<float> floats = {1, 2};
  for (const bool raw : {false, true}) {
    const std::string bytes = tensor_bytes(kFloat, {2}, [&](pbf_writer& t) {
      if (raw) t.add_bytes(9, "01234567");
      if (!raw) t.add_packed_float(4, floats.begin(), floats.end());
    });
    const Result<TensorView> tensor = read_tensor(view_of(bytes));
    ASSERT_TRUE(tensor.ok());
    const Result<Payload> seen = payload(*tensor);
    ASSERT_TRUE(seen.ok());
    EXPECT_EQ(seen->bytes.data(), view_of(bytes).data() + bytes.size() - 8);
  }
}

TEST(OnnxPayload, RefusesWhatDoesNotAddUp) {
  const auto raw = [](pbf_writer& t) { t.add_bytes(9, "12345678"); };
  const auto nothing = [](pbf_writer&) {};
  EXPECT_TRUE(has(elements(kFloat, {3}, raw), "tensor 't' (float): has 8 bytes, its dims want 12"));
  EXPECT_TRUE(has(elements(kFloat, {}, nothing), "has 0 bytes, its dims want 4"));
  EXPECT_EQ(elements(kFloat, {1LL << 62, 0, 1LL << 62}, nothing), "");
  EXPECT_TRUE(has(elements(kFloat, {1LL << 62, 2}, raw), "exceeds 64 bits"));
  EXPECT_TRUE(has(elements(kFloat, {1LL << 60}, raw), "size in bits exceeds 64 bits"));
  EXPECT_TRUE(has(elements(kFloat, {-1}, raw), "negative dim"));
  EXPECT_TRUE(has(elements(kUndefined, {1}, raw), "tensor 't' has no data type"));
  EXPECT_TRUE(has(elements(99, {1}, raw), "(unknown): elements of type 99"));
  EXPECT_TRUE(has(elements(kString, {2}, [](pbf_writer& t) { t.add_bytes(6, "a"); }), "has 1 strings, its dims want 2"));
  EXPECT_TRUE(has(from_int32(kUint8, {1}, {256}), "element 0 does not fit 1 bytes"));
  EXPECT_TRUE(has(from_int32(kInt8, {1}, {-129}), "element 0 does not fit 1 bytes"));
  EXPECT_TRUE(has(from_int32(kInt32, {1LL << 40}, {1}), "has 1 elements, its dims want 1099511627776"));
  EXPECT_TRUE(has(from_int32(kInt64, {1}, {1}), "in a field for other types"));
  EXPECT_TRUE(has(elements(kInt64, {1}, [](pbf_writer& t) { t.add_bytes(7, "\x01\x80"); }), "last element is cut off"));
  EXPECT_TRUE(
      has(elements(kInt64, {1}, [](pbf_writer& t) { t.add_bytes(7, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"); }), "no number"));
  EXPECT_TRUE(has(elements(kFloat, {2}, [&](pbf_writer& t) { t.add_bytes(3, ""), raw(t); }), "segments are not supported"));
}

class OnnxExternal : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = testing::TempDir() + "tenon_onnx_" + std::to_string(::getpid());
    std::filesystem::create_directories(folder_ + "/sub");
    ASSERT_TRUE(write_file(folder_ + "/data.bin", view_of("0123456789")).ok());
    ASSERT_TRUE(write_file(folder_ + "/sub/data.bin", view_of("abcd")).ok());
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  using Entries = std::vector<std::pair<std::string, std::string>>;
  static std::string tensor(const Entries& entries) {
    return tensor_bytes(kUint8, {4}, [&](pbf_writer& t) {
      for (const auto& [key, value] : entries) {
        pbf_writer entry(t, 13);
        entry.add_string(1, key);
        entry.add_string(2, value);
      }
      t.add_enum(14, 1);
    });
  }
  /// A model with one initializer per tensor, as a file in the folder.
  Result<Model> model(const std::vector<std::string>& tensors) const {
    std::string bytes;
    pbf_writer writer(bytes);
    {
      pbf_writer graph(writer, 7);
      for (const std::string& tensor : tensors) graph.add_message(5, tensor);
    }
    const std::string path = folder_ + "/model.onnx";
    EXPECT_TRUE(write_file(path, view_of(bytes)).ok());
    return read_model_file(path);
  }
  std::string elements(const Entries& entries) const {
    const Result<Model> read = model({tensor(entries)});
    if (!read.ok()) return read.error().message();
    const Result<Payload> payload = read->payload(read->graph.initializers[0]);
    return payload.ok() ? std::string(text_of(payload->bytes)) : payload.error().message();
  }

  std::string folder_;
};

TEST_F(OnnxExternal, Reads) {
  EXPECT_EQ(elements({{"location", "data.bin"}, {"offset", "3"}, {"length", "4"}}), "3456");
  EXPECT_EQ(elements({{"location", "data.bin"}, {"offset", "1"}}), "1234");
  EXPECT_EQ(elements({{"length", "4"}, {"location", "sub/data.bin"}, {"checksum", "x"}}), "abcd");
  EXPECT_EQ(elements({{"location", "./data.bin"}}), "0123");
}

TEST_F(OnnxExternal, Refuses) {
  EXPECT_TRUE(has(elements({{"location", "../data.bin"}}), "must be relative and stay inside the model's folder"));
  EXPECT_TRUE(has(elements({{"location", "sub/../data.bin"}}), "must be relative"));
  EXPECT_TRUE(has(elements({{"location", folder_ + "/data.bin"}}), "must be relative"));
  EXPECT_TRUE(has(elements({{"location", std::string("data.bin\0x", 10)}}), "must be relative"));
  EXPECT_TRUE(has(elements({{"offset", "0"}}), "without a location"));
  EXPECT_TRUE(has(elements({{"location", "none.bin"}}), "tensor 't': cannot open"));
  EXPECT_TRUE(has(elements({{"location", "sub"}}), "not a regular file"));
  EXPECT_TRUE(has(elements({{"location", "data.bin"}, {"offset", "7"}}), "wants 4 bytes at 7 of 'data.bin', which has 10"));
  EXPECT_TRUE(has(elements({{"location", "data.bin"}, {"offset", "18446744073709551615"}}), "which has 10"));
  EXPECT_TRUE(has(elements({{"location", "data.bin"}, {"length", "18446744073709551615"}}), "which has 10"));
  EXPECT_TRUE(has(elements({{"location", "data.bin"}, {"length", "5"}}), "has 5 bytes, its dims want 4"));
  EXPECT_TRUE(has(elements({{"location", "data.bin"}, {"offset", "-1"}}), "offset '-1' is no byte count"));
  EXPECT_TRUE(has(elements({{"location", "data.bin"}, {"length", "4x"}}), "length '4x' is no byte count"));
}

TEST_F(OnnxExternal, OneMappingThatOutlivesTheModel) {
  Payload first;
  {
    const Result<Model> read = model({tensor({{"location", "data.bin"}}), tensor({{"location", "data.bin"}, {"offset", "4"}})});
    ASSERT_TRUE(read.ok()) << read.error().message();
    const Result<Payload> a = read->payload(read->graph.initializers[0]);
    const Result<Payload> b = read->payload(read->graph.initializers[1]);
    ASSERT_TRUE(a.ok() && b.ok());
    EXPECT_EQ(a->owner, b->owner);
    first = *a;
  }
  EXPECT_EQ(text_of(first.bytes), "0123");
}

TEST(OnnxFile, NamesThePathInErrors) {
  const Result<Model> model = read_model_file("/nonexistent/model.onnx");
  ASSERT_FALSE(model.ok());
  EXPECT_EQ(model.error().kind(), ErrorKind::not_found);
  EXPECT_TRUE(has(model.error().message(), "/nonexistent/model.onnx"));
}

}  // namespace
}  // namespace tenon::onnx
