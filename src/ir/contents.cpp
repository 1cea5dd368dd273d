#include "ir/contents.h"

#include <algorithm>
#include <cmath>

#include "base/hash.h"

namespace tenon::ir {
namespace {

std::string element_text(const Tensor& tensor, int64_t i) {
  if (tensor.dtype == DType::str) return quote(tensor.as<std::string>()[static_cast<size_t>(i)]);
  if (tensor.dtype == DType::boolean) return element_as_int(tensor, i) ? "true" : "false";
  if (is_int(tensor.dtype)) return strf("{}", element_as_int(tensor, i));
  const double value = element_as_double(tensor, i);
  if (!std::isfinite(value) || tensor.dtype == DType::f64) return real_text(value);
  return strf("{}", static_cast<float>(value));
}

std::optional<std::string> text_of_elements(const Tensor& tensor) {
  if (is_complex(tensor.dtype) || tensor.dtype == DType::none || tensor.elems() > kInlineElems) return std::nullopt;
  std::string out = "[";
  for (int64_t i = 0; i < tensor.elems(); ++i) {
    if (i) out += ", ";
    out += element_text(tensor, i);
  }
  return out + "]";
}

}  // namespace

Bytes contents_of(const Tensor& tensor) {
  if (tensor.dtype != DType::str) {
    const ByteView view = tensor.view();
    return Bytes(view.begin(), view.end());
  }
  ByteWriter out;
  for (const std::string& text : tensor.as<std::string>()) out.text(text);
  return std::move(out.bytes());
}

Result<Tensor> tensor_from(DType dtype, Dims dims, ByteView contents) {
  TENON_TRY(elems, checked_elems(dims));
  // Every element costs at least a bit (a string: a byte), so what the file lacks is never allocated.
  if (dtype == DType::str ? static_cast<uint64_t>(elems) > contents.size()
                          : bytes_of(dtype, elems) != static_cast<int64_t>(contents.size()))
    return fail(ErrorKind::bad_engine, "{}{} does not fit {} bytes of contents", to_string(dtype), to_string(dims), contents.size());
  TENON_TRY(out, Tensor::allocate(dtype, std::move(dims)));
  if (dtype != DType::str) {
    std::copy(contents.begin(), contents.end(), out.data);
    return std::move(out);
  }
  ByteReader in(contents);
  for (std::string& text : out.as<std::string>()) {
    TENON_TRY(read, in.text());
    text = read;
  }
  if (in.remaining()) return in.error("bytes follow the last string");
  return std::move(out);
}

uint64_t content_hash(const Tensor& tensor) {
  if (!tensor.data) return 0;
  return tensor.dtype == DType::str ? hash_bytes(contents_of(tensor)) : hash_bytes(tensor.view());
}

bool same_tensor(const Tensor& a, const Tensor& b) {
  if (a.dtype != b.dtype || a.dims != b.dims) return false;
  if (a.data == b.data) return true;
  if (!a.data || !b.data) return false;
  if (a.dtype == DType::str) return contents_of(a) == contents_of(b);
  const ByteView left = a.view(), right = b.view();
  return std::equal(left.begin(), left.end(), right.begin(), right.end());
}

std::optional<std::string> inline_text(const Tensor& tensor) {
  if (!tensor.data && tensor.elems() > 0) return std::nullopt;
  std::optional<std::string> out = text_of_elements(tensor);
  if (!out) return std::nullopt;
  Scanner in(*out);  // a NaN's payload or a large u64 has no text: such contents go by hash
  const auto back = parse_inline(in, tensor.dtype, tensor.dims);
  if (!back.ok() || !same_tensor(*back, tensor)) return std::nullopt;
  return out;
}

Result<Tensor> parse_inline(Scanner& in, DType dtype, Dims dims) {
  TENON_TRY(elems, checked_elems(dims));
  if (elems > 4096) return in.error("inline contents are for small constants");
  if (is_complex(dtype) || dtype == DType::none) return in.error(strf("{} has no inline contents", to_string(dtype)));
  TENON_TRY(out, Tensor::allocate(dtype, dims));
  const DType wide = dtype == DType::str ? dtype : widened(dtype);
  TENON_TRY(read, Tensor::allocate(wide, std::move(dims)));
  TENON_OK(in.expect("["));
  for (int64_t i = 0; i < elems; ++i) {
    if (i) TENON_OK(in.expect(","));
    const auto at = static_cast<size_t>(i);
    if (dtype == DType::str) {
      TENON_TRY(text, in.quoted());
      read.as<std::string>()[at] = text;
    } else if (dtype == DType::boolean && in.accept("true")) {
      read.as<int64_t>()[at] = 1;
    } else if (dtype == DType::boolean && in.accept("false")) {
      read.as<int64_t>()[at] = 0;
    } else if (wide == DType::i64) {
      TENON_TRY(value, in.integer());
      read.as<int64_t>()[at] = value;
    } else {
      TENON_TRY(value, in.real());
      if (wide == DType::f64) {
        read.as<double>()[at] = value;
      } else {
        read.as<float>()[at] = static_cast<float>(value);
      }
    }
  }
  TENON_OK(in.expect("]"));
  if (dtype == DType::str) return std::move(read);
  TENON_OK(store(read, out));
  return std::move(out);
}

}  // namespace tenon::ir
