// Random tensors and a comparison, for the tests of the evaluators.
#pragma once
#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "reference/reference.h"

namespace tenon::reference {

inline std::mt19937& randomness() {
  static std::mt19937 random(7);
  return random;
}
/// In [low, high].
inline int64_t pick(int64_t low, int64_t high) {
  return low + static_cast<int64_t>(randomness()() % static_cast<uint64_t>(high - low + 1));
}

/// Multiples of 1/4 in [-2, 2], or whole numbers: sums of products stay exact in every type that is compared.
inline Tensor random_tensor(DType type, const Dims& dims) {
  auto doubles = Tensor::allocate(DType::f64, dims);
  for (double& x : doubles->as<double>()) x = is_float(type) ? static_cast<double>(pick(-8, 8)) / 4 : static_cast<double>(pick(-3, 3));
  return *convert(*doubles, type);
}
inline std::vector<double> doubles_of(const Tensor& tensor) {
  std::vector<double> out;
  for (int64_t i = 0; i < tensor.elems(); ++i) out.push_back(element_as_double(tensor, i));
  return out;
}

/// Runs a problem with one output.
inline Tensor run_one(const engine::Problem& problem, const std::vector<HostValue>& in) {
  HostValue out;
  const auto status = run(problem, in, std::span<HostValue>(&out, 1));
  EXPECT_TRUE(status.ok()) << engine::to_string(problem) << ": " << status.error().message();
  return out.tensor;
}

inline void expect_near(const Tensor& got, const Dims& dims, const std::vector<double>& want, double tolerance, const std::string& what) {
  ASSERT_EQ(got.dims, dims) << what;
  for (size_t i = 0; i < want.size(); ++i) {
    const double x = element_as_double(got, static_cast<int64_t>(i));
    if (std::isnan(want[i])) {
      ASSERT_TRUE(std::isnan(x)) << what << " at " << i;
    } else if (x != want[i]) {
      ASSERT_NEAR(x, want[i], tolerance * std::max(1.0, std::fabs(want[i]))) << what << " at " << i;
    }
  }
}

/// [n, c, spatial...] → [n, spatial..., c].
inline Tensor channels_last(const Tensor& in) {
  engine::CopyProblem copy{.type = in.dtype, .shape = Shape{Dim(in.dims[0])}};
  const Dims steps = strides_of(in.dims);
  copy.strides.emplace_back(steps[0]);
  for (size_t i = 2; i <= in.dims.size(); ++i) {
    const size_t d = i < in.dims.size() ? i : 1;
    copy.shape.dims().emplace_back(in.dims[d]);
    copy.strides.emplace_back(steps[d]);
  }
  return run_one(copy, {in});
}

/// Symbols in place of dims that the tensors show anyway: evaluators take them from there.
inline std::vector<Dim> dims_of(const Dims& dims) { return {dims.begin(), dims.end()}; }

}  // namespace tenon::reference
