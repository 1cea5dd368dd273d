#include "onnx/value_file.h"

#include <gtest/gtest.h>

#include <protozero/pbf_writer.hpp>

namespace tenon::onnx {
namespace {

using protozero::pbf_writer;
using Kind = ValueProtoView::Kind;

std::string tensor(std::string_view name) {
  const Bytes bytes = write_tensor(name, kUint8, std::vector<int64_t>{2}, view_of("ab"));
  return std::string(text_of(bytes));
}

TEST(OnnxValueFile, WritesTensors) {
  const std::vector<int64_t> dims = {2, 0, 300};
  const Bytes bytes = write_tensor("out", kInt64, dims, {});
  const Result<TensorView> back = read_tensor(bytes);
  ASSERT_TRUE(back.ok()) << back.error().message();
  EXPECT_EQ(back->name, "out");
  EXPECT_EQ(back->data_type, kInt64);
  EXPECT_EQ(back->dims, dims);
  EXPECT_EQ(back->storage, Storage::raw);
  const std::string two = tensor("two");
  const Result<TensorView> full = read_tensor(view_of(two));
  ASSERT_TRUE(full.ok());
  EXPECT_EQ(text_of(payload(*full)->bytes), "ab");
}

TEST(OnnxValueFile, Sequences) {
  std::string bytes;
  pbf_writer writer(bytes);
  writer.add_string(1, "list");
  writer.add_int32(2, 1);
  writer.add_message(3, tensor("first"));
  writer.add_message(3, tensor("second"));
  const Result<ValueProtoView> list = read_sequence(view_of(bytes));
  ASSERT_TRUE(list.ok()) << list.error().message();
  EXPECT_EQ(list->kind, Kind::sequence);
  EXPECT_EQ(list->name, "list");
  ASSERT_EQ(list->elements.size(), 2U);
  EXPECT_EQ(list->elements[1].tensor.name, "second");

  writer.add_bytes(5, "");
  EXPECT_FALSE(read_sequence(view_of(bytes)).ok());
}

TEST(OnnxValueFile, Optionals) {
  std::string bytes;
  pbf_writer writer(bytes);
  writer.add_int32(2, 3);
  const Result<ValueProtoView> empty = read_optional(view_of(bytes));
  ASSERT_TRUE(empty.ok()) << empty.error().message();
  EXPECT_TRUE(empty->elements.empty());
  EXPECT_EQ(empty->element_kind, Kind::sequence);
  writer.add_bytes(5, "");
  const Result<ValueProtoView> full = read_optional(view_of(bytes));
  ASSERT_TRUE(full.ok()) << full.error().message();
  EXPECT_EQ(full->elements.at(0).kind, Kind::sequence);
  writer.add_bytes(5, "");
  EXPECT_FALSE(read_optional(view_of(bytes)).ok());
}

TEST(OnnxValueFile, Maps) {
  std::string bytes;
  pbf_writer writer(bytes);
  writer.add_int32(2, kString);
  writer.add_string(4, "key");
  {
    pbf_writer values(writer, 5);
    values.add_int32(2, 1);
    values.add_message(3, tensor("value"));
  }
  const Result<ValueProtoView> map = read_map(view_of(bytes));
  ASSERT_TRUE(map.ok()) << map.error().message();
  EXPECT_EQ(map->string_keys.at(0), "key");
  EXPECT_EQ(map->elements.at(0).tensor.name, "value");
  writer.add_string(4, "key without a value");
  EXPECT_FALSE(read_map(view_of(bytes)).ok());
}

TEST(OnnxDataType, NamesAndBits) {
  EXPECT_EQ(data_type_name(kFloat), "float");
  EXPECT_EQ(data_type_name(kFloat4E2M1), "float4e2m1");
  EXPECT_EQ(data_type_name(-1), "unknown");
  EXPECT_EQ(data_type_name(29), "unknown");
  EXPECT_EQ(data_type_name(kFloat6E3M2), "float6e3m2");
  EXPECT_EQ(data_type_bits(kFloat6E3M2), 6);
  EXPECT_EQ(data_type_bits(kUint2), 2);
  EXPECT_EQ(data_type_bits(kComplex128), 128);
  EXPECT_EQ(data_type_bits(kString), 0);
}

}  // namespace
}  // namespace tenon::onnx
