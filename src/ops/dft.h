// Dft: the discrete Fourier transform of x [..., n, ..., 1 or 2] (real, or real and imaginary) along `axis`; a second input gives the
// length (zeros are appended, or the end is cut). onesided: the first n / 2 + 1 values of a real input's result, and, inverse, the real
// signal that has them. A third input takes the place of `axis`.
#pragma once
#include "ops/row.h"

namespace tenon::ops {

struct Dft {
  int64_t axis = 1;
  bool inverse = false;  // divides by the length
  bool onesided = false;
  static constexpr std::string_view kName = "Dft";
  static constexpr auto kFields =
      Fields{Field{1, "axis", &Dft::axis}, Field{2, "inverse", &Dft::inverse}, Field{3, "onesided", &Dft::onesided}};
};
Result<Facts> infer(const Dft& op, std::span<const Fact> in, InferCtx& ctx);
Result<void> eval(const Dft& op, std::span<const HostValue> in, std::span<HostValue> out);

}  // namespace tenon::ops
