// NumPy's array files: .npy by hand, .npz as a zip of them (stored or deflated members, by zlib).
#pragma once
#include <string>
#include <utility>
#include <vector>

#include "tensor/tensor.h"

namespace tenon::cli {

/// Little-endian arrays of f16, f32, f64, integers, bool and complex numbers, in C or Fortran order. The tensor owns its memory.
Result<Tensor> read_npy(ByteView bytes);
/// Types that NumPy lacks: bf16 becomes uint16 (its bits), the 8-bit and 4-bit floats float32, 4- and 2-bit integers int8 or uint8;
/// `stored_as` says so, and is empty otherwise. Errors: strings.
Result<Bytes> write_npy(const Tensor& tensor, std::string* stored_as = nullptr);

using NamedTensors = std::vector<std::pair<std::string, Tensor>>;
/// In the archive's order, names without ".npy".
Result<NamedTensors> read_npz(ByteView bytes);
/// Members are stored, not compressed; their date is fixed, so that equal values give equal bytes.
Result<Bytes> write_npz(const NamedTensors& tensors);

}  // namespace tenon::cli
