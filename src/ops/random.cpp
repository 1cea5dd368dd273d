#include "ops/random.h"

#include <atomic>
#include <bit>
#include <cmath>
#include <numbers>

#include "ops/move.h"

namespace tenon::ops {

Result<Facts> infer(const Random& op, std::span<const Fact> in, InferCtx& ctx) {
  Fact out(op.dtype, Shape::unknown());
  if (in[0].elems) {
    out.type.shape = Shape(*in[0].elems);
  } else if (in[0].has_rank() && in[0].rank() == 1 && in[0].shape()[0].is_constant() && *in[0].shape()[0].constant() <= 64) {
    out.type.shape = Shape();
    for (int64_t i = 0; i < *in[0].shape()[0].constant(); ++i) out.type.shape.dims().push_back(ctx.mint("random"));
  }
  return Facts{std::move(out)};
}

namespace {

/// SplitMix64 (Steele, Lea, Flood 2014).
uint64_t next(uint64_t& state) {
  uint64_t z = (state += 0x9E3779B97F4A7C15U);
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9U;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBU;
  return z ^ (z >> 31);
}
double uniform(uint64_t& state) { return static_cast<double>(next(state) >> 11) * 0x1p-53; }

}  // namespace

Result<void> eval(const Random& op, std::span<const HostValue> in, std::span<HostValue> out) {
  const Dims dims = ints_of(in[0].tensor);
  TENON_OK(prepare_output(out[0], op.dtype, dims));
  TENON_TRY(y, Tensor::allocate(DType::f64, dims));
  static std::atomic<uint64_t> runs{0};  // without a seed, every call has numbers of its own
  uint64_t state = op.seed ? std::bit_cast<uint64_t>(*op.seed) : runs.fetch_add(1) * 0xD1342543DE82EF95U;
  for (double& value : y.as<double>()) {
    if (op.kind == RandomKind::uniform) {
      value = op.a + (op.b - op.a) * uniform(state);
    } else {  // Box and Muller 1958
      const double radius = std::sqrt(-2 * std::log(1 - uniform(state)));
      value = op.a + op.b * radius * std::cos(2 * std::numbers::pi * uniform(state));
    }
  }
  return store(y, out[0].tensor);
}

template OpRow make_row<Random>();

}  // namespace tenon::ops
