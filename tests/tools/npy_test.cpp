#include "npy.h"

#include <gtest/gtest.h>

#include <random>

#include "values.h"

namespace tenon::cli {
namespace {

Bytes bytes_of(std::string_view text) { return Bytes(view_of(text).begin(), view_of(text).end()); }

/// A file as NumPy writes it.
Bytes npy(std::string_view descr, std::string_view fortran, std::string_view shape, std::string_view data) {
  const std::string header = strf("{{'descr': '{}', 'fortran_order': {}, 'shape': {}, }}\n", descr, fortran, shape);
  std::string out = "\x93NUMPY";
  out += '\x01';
  out += '\0';
  out += static_cast<char>(header.size() & 255);
  out += static_cast<char>(header.size() >> 8);
  return bytes_of(out + header + std::string(data));
}

TEST(Npy, EveryTypeComesBack) {
  for (const DType dtype : {DType::f16, DType::f32, DType::f64, DType::i8, DType::i16, DType::i32, DType::i64, DType::u8, DType::u16,
                            DType::u32, DType::u64, DType::boolean, DType::c64, DType::c128})
    for (const Dims& dims : {Dims{}, Dims{0}, Dims{3}, Dims{2, 1, 4}}) {
      const auto value = random_value(ValueType::tensor(dtype, Shape::of(dims)), dims, 1, "x");
      ASSERT_TRUE(value.ok());
      const auto bytes = write_npy(value->tensor);
      ASSERT_TRUE(bytes.ok()) << bytes.error().message();
      EXPECT_EQ((bytes->size() - static_cast<size_t>(value->tensor.bytes())) % 64, 0U);
      const auto back = read_npy(*bytes);
      ASSERT_TRUE(back.ok()) << back.error().message();
      EXPECT_EQ(first_difference(HostValue(*back), *value, {0, 0}), std::nullopt);
    }
}

TEST(Npy, TypesThatNumPyLacks) {
  std::string stored;
  const auto bf16 = write_npy(scalar_tensor(DType::bf16, 1), &stored);
  ASSERT_TRUE(bf16.ok());
  EXPECT_EQ(stored, "bf16 as u16 (the bits)");
  EXPECT_EQ(read_npy(*bf16)->as<uint16_t>()[0], 0x3f80);
  const auto f8 = write_npy(scalar_tensor(DType::f8e4m3fn, 1.5), &stored);
  ASSERT_TRUE(f8.ok());
  EXPECT_EQ(stored, "f8e4m3fn as f32");
  EXPECT_EQ(read_npy(*f8)->as<float>()[0], 1.5F);
  EXPECT_FALSE(write_npy(*Tensor::allocate(DType::str, {1})).ok());
}

TEST(Npy, FortranOrder) {
  const auto tensor = read_npy(npy("|u1", "True", "(2, 3)", "\x01\x04\x02\x05\x03\x06"));
  ASSERT_TRUE(tensor.ok()) << tensor.error().message();
  EXPECT_EQ(ints_of(*tensor), (Dims{1, 2, 3, 4, 5, 6}));
}

TEST(Npy, RefusesWhatItCannotRead) {
  for (const auto& [bytes, says] :
       {std::pair{npy(">f4", "False", "(1,)", "abcd"), "little-endian"},
        std::pair{npy("<U4", "False", "(1,)", "abcdabcdabcdabcd"), "not read"}, std::pair{npy("<f4", "False", "(2,)", "abcd"), "too few"},
        std::pair{npy("<f4", "False", "(-1,)", "abcd"), "negative"},
        std::pair{npy("<f4", "False", "(4611686018427387904, 4)", "abcd"), "elements"},
        std::pair{npy("<f4", "Maybe", "(1,)", "abcd"), "False"}, std::pair{bytes_of("PK"), "begin"}}) {
    const auto tensor = read_npy(bytes);
    ASSERT_FALSE(tensor.ok()) << says;
    EXPECT_NE(tensor.error().message().find(says), std::string::npos) << tensor.error().message();
  }
}

TEST(Npz, ComesBack) {
  const NamedTensors tensors = {{"a", scalar_tensor(DType::f32, 2)}, {"b/c", int64_tensor({1, 2, 3})}};
  const auto bytes = write_npz(tensors);
  ASSERT_TRUE(bytes.ok());
  const auto back = read_npz(*bytes);
  ASSERT_TRUE(back.ok()) << back.error().message();
  ASSERT_EQ(back->size(), 2U);
  EXPECT_EQ((*back)[1].first, "b/c");
  EXPECT_EQ(ints_of((*back)[1].second), (Dims{1, 2, 3}));
  EXPECT_EQ(read_npz(*write_npz({}))->size(), 0U);
}

TEST(Npz, DamageIsAnErrorNeverACrash) {
  const auto whole = write_npz({{"a", scalar_tensor(DType::f32, 2)}, {"b", int64_tensor({1, 2, 3})}});
  ASSERT_TRUE(whole.ok());
  for (size_t size = 0; size < whole->size(); ++size) EXPECT_FALSE(read_npz(ByteView(*whole).first(size)).ok()) << size;
  std::mt19937_64 random(3);
  for (int round = 0; round < 3000; ++round) {
    Bytes bytes = *whole;
    for (int i = 0; i < 3; ++i) bytes[random() % bytes.size()] = static_cast<std::byte>(random());
    (void)read_npz(bytes);
    (void)read_npy(ByteView(bytes).subspan(35));
  }
}

TEST(Compare, SaysWhatDiffers) {
  const HostValue a(make_tensor<float>(DType::f32, {2, 2}, std::vector<float>{1, 2, 3, NAN}));
  const HostValue b(make_tensor<float>(DType::f32, {2, 2}, std::vector<float>{1, 2.001F, 4, NAN}));
  EXPECT_EQ(first_difference(a, a, {}), std::nullopt);
  EXPECT_EQ(first_difference(a, b, {}), "index [1, 0]: got 3, wanted 4 (1 of 4 elements differ, the largest difference is 1)");
  EXPECT_EQ(first_difference(a, HostValue(int64_tensor({1})), {}), "type: got f32, wanted i64");
  EXPECT_EQ(first_difference(HostValue(int64_tensor({1})), HostValue(int64_tensor({1, 2})), {}), "shape: got [1], wanted [2]");
  EXPECT_EQ(first_difference(HostValue(int64_tensor({7})), HostValue(int64_tensor({8})), {1, 1}),
            "index [0]: got 7, wanted 8 (1 of 1 elements differ)");
  HostValue empty;
  empty.kind = HostValue::Kind::optional;
  EXPECT_EQ(first_difference(HostValue(), empty, {}), std::nullopt);
  EXPECT_EQ(first_difference(a, empty, {}), "got a tensor, wanted an optional");
}

}  // namespace
}  // namespace tenon::cli
