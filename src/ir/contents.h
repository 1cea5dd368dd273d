// Contents of constants: hash, comparison, and the text of small ones.
#pragma once
#include <optional>

#include "base/text.h"
#include "tensor/tensor.h"

namespace tenon::ir {

/// Constants of at most this many elements stand in the text itself.
constexpr int64_t kInlineElems = 16;

/// A hash of the elements alone, not of type and shape. 0 for a tensor without data.
uint64_t content_hash(const Tensor& tensor);
/// Same type, shape and bits.
bool same_tensor(const Tensor& a, const Tensor& b);

/// "[1, 2.5, nan]", row-major; nothing when the tensor is large or its text would not read back to the same bits.
std::optional<std::string> inline_text(const Tensor& tensor);
Result<Tensor> parse_inline(Scanner& in, DType dtype, Dims dims);

/// Elements as bytes: the tensor's memory, or length-prefixed strings.
Bytes contents_of(const Tensor& tensor);
Result<Tensor> tensor_from(DType dtype, Dims dims, ByteView contents);

}  // namespace tenon::ir
