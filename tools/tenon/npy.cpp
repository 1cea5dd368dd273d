#include "npy.h"

#include <zlib.h>

#include <cstring>

namespace tenon::cli {
namespace {

constexpr std::string_view kMagic = "\x93NUMPY";

struct TypeName {
  std::string_view code;
  DType dtype;
};
constexpr TypeName kTypes[] = {{"f2", DType::f16}, {"f4", DType::f32},     {"f8", DType::f64}, {"i1", DType::i8},   {"i2", DType::i16},
                               {"i4", DType::i32}, {"i8", DType::i64},     {"u1", DType::u8},  {"u2", DType::u16},  {"u4", DType::u32},
                               {"u8", DType::u64}, {"b1", DType::boolean}, {"c8", DType::c64}, {"c16", DType::c128}};

Error bad(std::string_view what) { return fail("npy: {}", what); }

struct Header {
  DType dtype = DType::none;
  bool fortran = false;
  Dims dims;
};

/// "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }"
Result<Header> parse_header(std::string_view text) {
  Header out;
  bool has_type = false, has_order = false, has_shape = false;
  Scanner in(text);
  const auto quoted = [&]() -> Result<std::string_view> {
    const char mark = in.peek();
    if (mark != '\'' && mark != '"') return bad("the header has no quoted text where one is wanted");
    in.accept(std::string_view(&mark, 1));
    const std::string_view word = in.word("<>|=_");
    if (!in.accept(std::string_view(&mark, 1))) return bad("the header has a text without end (structured types are not read)");
    return word;
  };
  TENON_OK(in.expect("{"));
  while (!in.accept("}")) {
    TENON_TRY(key, quoted());
    TENON_OK(in.expect(":"));
    if (key == "descr") {
      if (in.peek() == '[') return bad("structured types are not read");
      TENON_TRY(text_type, quoted());
      if (text_type.size() < 2 || text_type[0] == '>') return bad(strf("type '{}': only little-endian numbers are read", text_type));
      for (const TypeName& row : kTypes)
        if (row.code == text_type.substr(1)) out.dtype = row.dtype;
      if (out.dtype == DType::none) return bad(strf("type '{}' is not read: numbers and bool are", text_type));
      has_type = true;
    } else if (key == "fortran_order") {
      out.fortran = in.accept("True");
      if (!out.fortran) TENON_OK(in.expect("False"));
      has_order = true;
    } else if (key == "shape") {
      TENON_OK(in.expect("("));
      while (!in.accept(")")) {
        TENON_TRY(dim, in.integer());
        out.dims.push_back(dim);
        if (!in.accept(",") && in.peek() != ')') return in.error("wanted , or )");
      }
      has_shape = true;
    } else {
      return bad(strf("the header has an unknown key '{}'", key));
    }
    if (!in.accept(",") && in.peek() != '}') return in.error("wanted , or }");
  }
  if (!has_type || !has_order || !has_shape) return bad("the header lacks descr, fortran_order or shape");
  return out;
}

/// Element by element from column-major to row-major.
void from_fortran(const Tensor& out, const std::byte* data, size_t size) {
  Dims index(out.dims.size());
  for (int64_t i = 0; i < out.elems(); ++i) {
    int64_t at = 0;
    for (size_t d = index.size(); d-- > 0;) at = at * out.dims[d] + index[d];
    std::memcpy(out.data + static_cast<size_t>(i) * size, data + static_cast<size_t>(at) * size, size);
    for (size_t d = index.size(); d-- > 0;) {
      if (++index[d] < out.dims[d]) break;
      index[d] = 0;
    }
  }
}

uint64_t little(ByteView bytes, size_t at, size_t count) {
  uint64_t out = 0;
  for (size_t i = 0; i < count; ++i) out |= static_cast<uint64_t>(bytes[at + i]) << (8 * i);
  return out;
}

void put(Bytes& out, uint64_t value, size_t count) {
  for (size_t i = 0; i < count; ++i) out.push_back(static_cast<std::byte>(value >> (8 * i)));
}

/// What NumPy has in place of a type that it lacks.
Result<Tensor> numpy_form(const Tensor& in) {
  switch (in.dtype) {
    case DType::bf16: return Tensor::wrap(DType::u16, in.dims, in.data, in.owner);
    case DType::i4:
    case DType::i2: return convert(in, DType::i8);
    case DType::u4:
    case DType::u2: return convert(in, DType::u8);
    case DType::f8e4m3fn:
    case DType::f8e4m3fnuz:
    case DType::f8e5m2:
    case DType::f8e5m2fnuz:
    case DType::f4e2m1:
    case DType::f6e2m3:
    case DType::f6e3m2:
    case DType::f8e8m0: return convert(in, DType::f32);
    case DType::str:
    case DType::none: return bad("strings are not written, use .pb");
    default: return in;
  }
}

// Zip: APPNOTE.TXT of PKWARE, sections 4.3.7 (local header), 4.3.12 (central directory), 4.3.16 (its end), 4.5.3 (64-bit sizes).
constexpr uint32_t kLocal = 0x04034b50, kCentral = 0x02014b50, kEnd = 0x06054b50, kEnd64Locator = 0x07064b50, kEnd64 = 0x06064b50;
constexpr size_t kLocalBytes = 30, kCentralBytes = 46, kEndBytes = 22, kLocatorBytes = 20, kEnd64Bytes = 56;
constexpr uint64_t kMost = uint64_t{1} << 32;  // bytes of one member: an archive must not fill the memory
constexpr uint64_t kDate = 0x21;               // 1 January 1980

struct Member {
  std::string name;
  uint64_t method = 0, crc = 0, packed = 0, size = 0, header = 0;
};

Error bad_zip(std::string_view what) { return fail("npz: {}", what); }

Result<std::vector<Member>> list_members(ByteView bytes) {
  if (bytes.size() < kEndBytes) return bad_zip("the file is too short");
  size_t end = bytes.size() - kEndBytes;
  while (little(bytes, end, 4) != kEnd) {
    if (end == 0 || bytes.size() - end > 65535 + kEndBytes) return bad_zip("the file is no zip archive, or truncated");
    --end;
  }
  uint64_t count = little(bytes, end + 10, 2), at = little(bytes, end + 16, 4);
  if (end >= kLocatorBytes && little(bytes, end - kLocatorBytes, 4) == kEnd64Locator) {
    const uint64_t far = little(bytes, end - kLocatorBytes + 8, 8);
    if (far > bytes.size() || bytes.size() - far < kEnd64Bytes || little(bytes, far, 4) != kEnd64)
      return bad_zip("damaged 64-bit directory");
    count = little(bytes, far + 32, 8);
    at = little(bytes, far + 48, 8);
  }
  std::vector<Member> out;
  for (uint64_t i = 0; i < count; ++i) {
    if (at > bytes.size() || bytes.size() - at < kCentralBytes || little(bytes, at, 4) != kCentral) return bad_zip("damaged directory");
    Member member{.method = little(bytes, at + 10, 2),
                  .crc = little(bytes, at + 16, 4),
                  .packed = little(bytes, at + 20, 4),
                  .size = little(bytes, at + 24, 4),
                  .header = little(bytes, at + 42, 4)};
    const uint64_t name = little(bytes, at + 28, 2), extra = little(bytes, at + 30, 2), comment = little(bytes, at + 32, 2);
    if (bytes.size() - at - kCentralBytes < name + extra + comment) return bad_zip("damaged directory");
    if (little(bytes, at + 8, 2) & 1) return bad_zip("the archive is encrypted");
    member.name = std::string(text_of(bytes.subspan(at + kCentralBytes, name)));
    uint64_t field = at + kCentralBytes + name;
    const uint64_t fields_end = field + extra;
    while (fields_end - field >= 4) {
      const uint64_t id = little(bytes, field, 2), length = little(bytes, field + 2, 2);
      if (fields_end - field - 4 < length) return bad_zip("damaged directory");
      uint64_t value = field + 4;
      const uint64_t value_end = value + length;
      if (id == 1)
        for (uint64_t* part : {&member.size, &member.packed, &member.header})
          if (*part == 0xffffffff && value_end - value >= 8) {
            *part = little(bytes, value, 8);
            value += 8;
          }
      field = value_end;
    }
    at += kCentralBytes + name + extra + comment;
    out.push_back(std::move(member));
  }
  return out;
}

Result<Bytes> inflate_member(ByteView packed, uint64_t size) {
  Bytes out(size);
  z_stream stream = {};
  if (inflateInit2(&stream, -MAX_WBITS) != Z_OK) return bad_zip("zlib cannot be started");
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(packed.data()));
  stream.avail_in = static_cast<uInt>(packed.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  const int status = ::inflate(&stream, Z_FINISH);
  const bool whole = status == Z_STREAM_END && stream.total_out == size;
  inflateEnd(&stream);
  if (!whole) return bad_zip("damaged compressed data");
  return out;
}

Result<Bytes> read_member(ByteView bytes, const Member& member) {
  if (member.header > bytes.size() || bytes.size() - member.header < kLocalBytes || little(bytes, member.header, 4) != kLocal)
    return bad_zip(strf("member '{}' lies outside the file", member.name));
  const uint64_t skip = kLocalBytes + little(bytes, member.header + 26, 2) + little(bytes, member.header + 28, 2);
  const uint64_t room = bytes.size() - member.header;
  if (skip > room || member.packed > room - skip) return bad_zip(strf("member '{}' lies outside the file", member.name));
  if (member.size >= kMost || member.packed >= kMost) return bad_zip(strf("member '{}' is larger than 4 GiB", member.name));
  const ByteView packed = bytes.subspan(member.header + skip, member.packed);
  Bytes out;
  if (member.method == 0) {
    if (member.size != member.packed) return bad_zip(strf("member '{}' has two sizes", member.name));
    out.assign(packed.begin(), packed.end());
  } else if (member.method == 8) {
    // Deflate shrinks at most 1032 to 1 (zlib's technical notes): more is a lie in the directory.
    if (member.size / 1100 > member.packed) return bad_zip(strf("member '{}' says it unpacks to {} bytes", member.name, member.size));
    TENON_TRY(data, inflate_member(packed, member.size));
    out = std::move(data);
  } else {
    return bad_zip(strf("member '{}' has compression method {}: stored and deflated members are read", member.name, member.method));
  }
  if (::crc32_z(0, reinterpret_cast<const Bytef*>(out.data()), out.size()) != member.crc)
    return bad_zip(strf("member '{}' has a wrong checksum", member.name));
  return out;
}

}  // namespace

Result<Tensor> read_npy(ByteView bytes) {
  if (bytes.size() < 10 || text_of(bytes.first(kMagic.size())) != kMagic) return bad("the file does not begin as a .npy file does");
  const size_t length_bytes = bytes[6] == std::byte{1} ? 2 : 4;
  if (bytes.size() < 8 + length_bytes) return bad("the file is truncated");
  const uint64_t length = little(bytes, 8, length_bytes);
  ByteView rest = bytes.subspan(8 + length_bytes);
  if (length > rest.size()) return bad("the file is truncated");
  TENON_TRY(header, parse_header(text_of(rest.first(length))));
  rest = rest.subspan(length);
  TENON_TRY(elems, checked_elems(header.dims));
  const auto size = static_cast<size_t>(bits_of(header.dtype) / 8);
  if (rest.size() / size < static_cast<uint64_t>(elems))
    return bad(strf("{} bytes of data are too few for {}{}", rest.size(), to_string(header.dtype), to_string(header.dims)));
  TENON_TRY(out, Tensor::allocate(header.dtype, header.dims));
  if (header.fortran && elems > 0) {
    from_fortran(out, rest.data(), size);
  } else if (elems > 0) {
    std::memcpy(out.data, rest.data(), static_cast<size_t>(out.bytes()));
  }
  return std::move(out);
}

Result<Bytes> write_npy(const Tensor& tensor, std::string* stored_as) {
  TENON_TRY(stored, numpy_form(tensor));
  std::string_view code;
  for (const TypeName& row : kTypes)
    if (row.dtype == stored.dtype) code = row.code;
  if (stored_as)
    *stored_as = stored.dtype == tensor.dtype ? ""
                                              : strf("{} as {}{}", to_string(tensor.dtype), to_string(stored.dtype),
                                                     tensor.dtype == DType::bf16 ? " (the bits)" : "");
  std::string shape;
  for (const int64_t dim : stored.dims) shape += strf("{}, ", dim);
  const bool bytewise = bits_of(stored.dtype) == 8;
  std::string header = strf("{{'descr': '{}{}', 'fortran_order': False, 'shape': ({}), }}", bytewise ? '|' : '<', code, shape);
  while ((10 + header.size() + 1) % 64) header += ' ';
  header += '\n';
  if (header.size() > 65535) return bad("too many dims");
  Bytes out;
  for (const char c : kMagic) out.push_back(static_cast<std::byte>(c));
  put(out, 1, 2);  // version 1.0
  put(out, header.size(), 2);
  const ByteView text = view_of(header), data = stored.view();
  out.insert(out.end(), text.begin(), text.end());
  out.insert(out.end(), data.begin(), data.end());
  return out;
}

Result<NamedTensors> read_npz(ByteView bytes) {
  TENON_TRY(members, list_members(bytes));
  NamedTensors out;
  for (const Member& member : members) {
    TENON_TRY(data, read_member(bytes, member));
    auto tensor = read_npy(data);
    if (!tensor.ok()) return std::move(tensor.error()).within(strf("member '{}'", member.name));
    const bool suffix = member.name.size() > 4 && member.name.ends_with(".npy");
    out.emplace_back(suffix ? member.name.substr(0, member.name.size() - 4) : member.name, std::move(*tensor));
  }
  return out;
}

Result<Bytes> write_npz(const NamedTensors& tensors) {
  Bytes out, directory;
  for (const auto& [name, tensor] : tensors) {
    TENON_TRY(data, write_npy(tensor));
    const std::string file = name + ".npy";
    if (data.size() >= 0xffffffff || out.size() >= 0xffffffff || file.size() > 65535)
      return bad_zip(strf("'{}' does not fit an archive with 32-bit sizes, save to a folder", name));
    const uint64_t crc = ::crc32_z(0, reinterpret_cast<const Bytef*>(data.data()), data.size()), header = out.size();
    const auto common = [&](Bytes& to) {  // the fields that the local header and the directory share
      put(to, 20, 2);                     // version needed
      put(to, 0x800, 2);                  // names are UTF-8
      put(to, 0, 2);                      // stored
      put(to, 0, 2);
      put(to, kDate, 2);
      put(to, crc, 4);
      put(to, data.size(), 4);
      put(to, data.size(), 4);
      put(to, file.size(), 2);
      put(to, 0, 2);
    };
    const ByteView file_name = view_of(file);
    put(out, kLocal, 4);
    common(out);
    out.insert(out.end(), file_name.begin(), file_name.end());
    out.insert(out.end(), data.begin(), data.end());
    put(directory, kCentral, 4);
    put(directory, 20, 2);  // version made by
    common(directory);
    put(directory, 0, 2);  // comment
    put(directory, 0, 2);  // disk
    put(directory, 0, 2);  // attributes
    put(directory, 0, 4);
    put(directory, header, 4);
    directory.insert(directory.end(), file_name.begin(), file_name.end());
  }
  if (tensors.size() > 65534 || out.size() >= 0xffffffff) return bad_zip("too much for an archive with 32-bit sizes, save to a folder");
  const uint64_t start = out.size();
  out.insert(out.end(), directory.begin(), directory.end());
  put(out, kEnd, 4);
  put(out, 0, 4);
  put(out, tensors.size(), 2);
  put(out, tensors.size(), 2);
  put(out, directory.size(), 4);
  put(out, start, 4);
  put(out, 0, 2);
  return out;
}

}  // namespace tenon::cli
