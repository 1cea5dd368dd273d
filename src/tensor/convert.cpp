#include "tensor/convert.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>
#include <type_traits>

#include "tensor/float_bits.h"

namespace tenon {
namespace {

// Elements pass through lanes of float, double or int64 (uint64 for u64) in blocks that stay in the first-level cache.
constexpr int64_t kBlock = 512;

template <class T>
const T* at(const std::byte* data, int64_t first) {
  return reinterpret_cast<const T*>(data) + first;
}
template <class T>
T* at(std::byte* data, int64_t first) {
  return reinterpret_cast<T*>(data) + first;
}

/// Weights lie in an ONNX file at any address.
template <class T>
T unaligned_at(const std::byte* data, int64_t i) {
  T out;
  std::memcpy(&out, data + i * static_cast<int64_t>(sizeof(T)), sizeof(T));
  return out;
}

template <class T, class Lane>
void load_plain(const std::byte* data, int64_t first, int64_t n, Lane* lanes) {
  for (int64_t i = 0; i < n; ++i) lanes[i] = static_cast<Lane>(unaligned_at<T>(data, first + i));
}

uint8_t packed_at(const std::byte* data, int bits, int64_t i) {
  const int per_byte = 8 / bits;
  return static_cast<uint8_t>((static_cast<uint8_t>(data[i / per_byte]) >> (i % per_byte * bits)) & ((1 << bits) - 1));
}

template <class Lane>
void load_packed(DType type, const std::byte* data, int64_t first, int64_t n, Lane* lanes) {
  const int bits = bits_of(type);
  const bool is_signed = is_signed_int(type);
  for (int64_t i = 0; i < n; ++i) {
    const int code = packed_at(data, bits, first + i);
    if (type == DType::f4e2m1) {
      lanes[i] = static_cast<Lane>(small_float_to_float(type, static_cast<uint8_t>(code)));
    } else {
      lanes[i] = static_cast<Lane>(is_signed && code >> (bits - 1) ? code - (1 << bits) : code);
    }
  }
}

const std::array<float, 256>& decode_table(DType type) {
  static const auto tables = [] {
    std::array<std::array<float, 256>, 7> out{};
    const DType types[] = {DType::f8e4m3fn, DType::f8e4m3fnuz, DType::f8e5m2, DType::f8e5m2fnuz,
                           DType::f8e8m0,   DType::f6e2m3,     DType::f6e3m2};
    for (size_t t = 0; t < out.size(); ++t)
      for (int code = 0; code < 256; ++code) out[t][static_cast<size_t>(code)] = small_float_to_float(types[t], static_cast<uint8_t>(code));
    return out;
  }();
  switch (type) {
    case DType::f8e8m0: return tables[4];
    case DType::f6e2m3: return tables[5];
    case DType::f6e3m2: return tables[6];
    default: return tables[static_cast<size_t>(type) - static_cast<size_t>(DType::f8e4m3fn)];
  }
}

template <class Lane>
void load(DType type, const std::byte* data, int64_t first, int64_t n, Lane* lanes) {
  switch (type) {
    case DType::f32: return load_plain<float>(data, first, n, lanes);
    case DType::f64: return load_plain<double>(data, first, n, lanes);
    case DType::i8: return load_plain<int8_t>(data, first, n, lanes);
    case DType::i16: return load_plain<int16_t>(data, first, n, lanes);
    case DType::i32: return load_plain<int32_t>(data, first, n, lanes);
    case DType::i64: return load_plain<int64_t>(data, first, n, lanes);
    case DType::u8: return load_plain<uint8_t>(data, first, n, lanes);
    case DType::u16: return load_plain<uint16_t>(data, first, n, lanes);
    case DType::u32: return load_plain<uint32_t>(data, first, n, lanes);
    case DType::u64: return load_plain<uint64_t>(data, first, n, lanes);
    case DType::boolean: {
      const uint8_t* from = at<uint8_t>(data, first);
      for (int64_t i = 0; i < n; ++i) lanes[i] = static_cast<Lane>(from[i] != 0);
      return;
    }
    case DType::f16: {
      for (int64_t i = 0; i < n; ++i) lanes[i] = static_cast<Lane>(float_bits::from_half(unaligned_at<uint16_t>(data, first + i)));
      return;
    }
    case DType::bf16: {
      for (int64_t i = 0; i < n; ++i) lanes[i] = static_cast<Lane>(float_bits::from_bfloat(unaligned_at<uint16_t>(data, first + i)));
      return;
    }
    case DType::f8e4m3fn:
    case DType::f8e4m3fnuz:
    case DType::f8e5m2:
    case DType::f8e5m2fnuz:
    case DType::f8e8m0:
    case DType::f6e2m3:
    case DType::f6e3m2: {
      const auto& table = decode_table(type);
      const uint8_t* from = at<uint8_t>(data, first);
      for (int64_t i = 0; i < n; ++i) lanes[i] = static_cast<Lane>(table[from[i]]);
      return;
    }
    case DType::u4:
    case DType::i4:
    case DType::u2:
    case DType::i2:
    case DType::f4e2m1: return load_packed(type, data, first, n, lanes);
    case DType::none:
    case DType::str:
    case DType::c64:
    case DType::c128: return;
  }
}

/// Truncates toward zero; beyond the range of To the nearest end, NaN gives 0. (C++ leaves both undefined.)
template <class To, class From>
To truncate(From x) {
  constexpr From kEnd = static_cast<From>(std::is_signed_v<To> ? 0x1p63 : 0x1p64);
  if (!(x > (std::is_signed_v<To> ? -kEnd : From(-1)))) return x == x ? std::numeric_limits<To>::min() : To(0);
  return x < kEnd ? static_cast<To>(x) : std::numeric_limits<To>::max();
}

struct IntRange {
  int64_t least, most;
};
IntRange range_of(DType type) {
  const int bits = std::min(bits_of(type), 63);
  if (type == DType::i64) return {INT64_MIN, INT64_MAX};
  if (is_signed_int(type)) return {-(int64_t{1} << (bits - 1)), (int64_t{1} << (bits - 1)) - 1};
  return {0, bits == 63 ? INT64_MAX : (int64_t{1} << bits) - 1};
}

/// Lanes to the 64 bits whose low part is the integer to store.
template <class Lane>
void to_bits(DType type, const Lane* lanes, int64_t n, Narrow narrow, uint64_t* out) {
  const IntRange range = range_of(type);
  for (int64_t i = 0; i < n; ++i) {
    if constexpr (std::is_same_v<Lane, uint64_t>) {
      const bool clip = narrow == Narrow::saturate && type != DType::u64 && lanes[i] > static_cast<uint64_t>(range.most);
      out[i] = clip ? static_cast<uint64_t>(range.most) : lanes[i];
    } else if constexpr (std::is_same_v<Lane, int64_t>) {
      out[i] = static_cast<uint64_t>(narrow == Narrow::saturate ? std::clamp(lanes[i], range.least, range.most) : lanes[i]);
    } else if (type == DType::u64 && (narrow == Narrow::saturate || lanes[i] > 0)) {
      out[i] = truncate<uint64_t>(lanes[i]);
    } else {
      const auto whole = truncate<int64_t>(lanes[i]);
      out[i] = static_cast<uint64_t>(narrow == Narrow::saturate ? std::clamp(whole, range.least, range.most) : whole);
    }
  }
}

template <class T>
void put(const uint64_t* bits, int64_t n, std::byte* data, int64_t first) {
  T* to = at<T>(data, first);
  for (int64_t i = 0; i < n; ++i) to[i] = static_cast<T>(bits[i]);
}

void put_packed(int width, const uint8_t* codes, int64_t n, std::byte* data, int64_t first) {
  const int per_byte = 8 / width, mask = (1 << width) - 1;
  for (int64_t i = 0; i < n; ++i) {
    const int64_t k = first + i;
    const int shift = static_cast<int>(k % per_byte) * width;
    auto byte = static_cast<uint8_t>(data[k / per_byte]);
    byte = static_cast<uint8_t>((byte & ~(mask << shift)) | ((codes[i] & mask) << shift));
    data[k / per_byte] = static_cast<std::byte>(byte);
  }
}

/// A lane as the float that a narrower float is then rounded from.
template <class Lane>
float float_of(Lane x) {
  if constexpr (std::is_same_v<Lane, float>) return x;
  return float_bits::odd_from_double(static_cast<double>(x));
}

template <class Lane>
void save_ints(DType type, const Lane* lanes, int64_t n, Narrow narrow, std::byte* data, int64_t first) {
  uint64_t bits[kBlock];
  to_bits(type, lanes, n, narrow, bits);
  switch (bits_of(type)) {
    case 8: return put<uint8_t>(bits, n, data, first);
    case 16: return put<uint16_t>(bits, n, data, first);
    case 32: return put<uint32_t>(bits, n, data, first);
    case 64: return put<uint64_t>(bits, n, data, first);
    default: {
      uint8_t codes[kBlock];
      for (int64_t i = 0; i < n; ++i) codes[i] = static_cast<uint8_t>(bits[i]);
      return put_packed(bits_of(type), codes, n, data, first);
    }
  }
}

template <class Lane>
void save(DType type, const Lane* lanes, int64_t n, Narrow narrow, std::byte* data, int64_t first) {
  switch (type) {
    case DType::f32: {
      float* to = at<float>(data, first);
      for (int64_t i = 0; i < n; ++i) to[i] = static_cast<float>(lanes[i]);
      return;
    }
    case DType::f64: {
      double* to = at<double>(data, first);
      for (int64_t i = 0; i < n; ++i) to[i] = static_cast<double>(lanes[i]);
      return;
    }
    case DType::f16: {
      uint16_t* to = at<uint16_t>(data, first);
      for (int64_t i = 0; i < n; ++i) to[i] = float_bits::to_half(float_of(lanes[i]));
      return;
    }
    case DType::bf16: {
      uint16_t* to = at<uint16_t>(data, first);
      for (int64_t i = 0; i < n; ++i) to[i] = float_bits::to_bfloat(float_of(lanes[i]));
      return;
    }
    case DType::boolean: {
      uint8_t* to = at<uint8_t>(data, first);
      for (int64_t i = 0; i < n; ++i) to[i] = lanes[i] != 0;
      return;
    }
    case DType::f8e4m3fn:
    case DType::f8e4m3fnuz:
    case DType::f8e5m2:
    case DType::f8e5m2fnuz:
    case DType::f8e8m0:
    case DType::f6e2m3:
    case DType::f6e3m2: {
      uint8_t* to = at<uint8_t>(data, first);
      for (int64_t i = 0; i < n; ++i) to[i] = float_to_small_float(type, float_of(lanes[i]), narrow == Narrow::saturate);
      return;
    }
    case DType::f4e2m1: {
      uint8_t codes[kBlock];
      for (int64_t i = 0; i < n; ++i) codes[i] = float_to_small_float(type, float_of(lanes[i]), true);
      return put_packed(4, codes, n, data, first);
    }
    default: return save_ints(type, lanes, n, narrow, data, first);
  }
}

template <class Lane>
void convert_through(DType from_type, const std::byte* from, int64_t from_first, DType to_type, std::byte* to, int64_t to_first,
                     int64_t count, Narrow narrow) {
  Lane lanes[kBlock];
  for (int64_t done = 0; done < count; done += kBlock) {
    const int64_t n = std::min(kBlock, count - done);
    load(from_type, from, from_first + done, n, lanes);
    save(to_type, lanes, n, narrow, to, to_first + done);
  }
}

}  // namespace

void convert_elems(DType from_type, const std::byte* from, int64_t from_first, DType to_type, std::byte* to, int64_t to_first,
                   int64_t count, Narrow narrow) {
  if (count <= 0) return;
  const int bits = bits_of(from_type);
  if (from_type == to_type && bits >= 8 && from_type != DType::boolean) {
    const auto size = static_cast<size_t>(bits / 8);
    std::memcpy(to + static_cast<size_t>(to_first) * size, from + static_cast<size_t>(from_first) * size,
                static_cast<size_t>(count) * size);
    return;
  }
  if (from_type == DType::u64) return convert_through<uint64_t>(from_type, from, from_first, to_type, to, to_first, count, narrow);
  switch (widened(from_type)) {
    case DType::f32: return convert_through<float>(from_type, from, from_first, to_type, to, to_first, count, narrow);
    case DType::f64: return convert_through<double>(from_type, from, from_first, to_type, to, to_first, count, narrow);
    case DType::i64: return convert_through<int64_t>(from_type, from, from_first, to_type, to, to_first, count, narrow);
    default: return;
  }
}

Result<Tensor> convert(const Tensor& in, DType to, Narrow narrow) {
  if (in.dtype == to) return in;
  if (!is_real(in.dtype) || !is_real(to))
    return fail("elements of type {} do not convert to {}: wanted real numbers", to_string(in.dtype), to_string(to));
  TENON_TRY(out, Tensor::allocate(to, in.dims));
  convert_elems(in.dtype, in.data, 0, to, out.data, 0, out.elems(), narrow);
  return std::move(out);
}

Result<Tensor> widen(const Tensor& in) { return convert(in, widened(in.dtype)); }

Result<void> store(const Tensor& from, Tensor& to, Narrow narrow) {
  if (!is_real(from.dtype) || !is_real(to.dtype))
    return fail("elements of type {} cannot be stored as {}: wanted real numbers", to_string(from.dtype), to_string(to.dtype));
  if (from.elems() != to.elems()) return fail("{} elements cannot be stored in a tensor of shape {}", from.elems(), to_string(to.dims));
  convert_elems(from.dtype, from.data, 0, to.dtype, to.data, 0, to.elems(), narrow);
  return {};
}

}  // namespace tenon
