#include <cmath>

#include "reference/common.h"
#include "reference/multiply.h"
#include "reference/reference.h"

namespace tenon::reference {
namespace {

struct AttentionSizes {
  int64_t batch, heads, kv_heads, tq, tk, d, dv;
};

Result<AttentionSizes> sizes_of(const Tensor& q, const Tensor& k, const Tensor& v) {
  const AttentionSizes s{q.dims[0], q.dims[1], k.dims[1], q.dims[2], k.dims[2], q.dims[3], v.dims[3]};
  if (k.dims != Dims{s.batch, s.kv_heads, s.tk, s.d} || v.dims != Dims{s.batch, s.kv_heads, s.tk, s.dv})
    return fail("q {}, k {} and v {} do not fit", to_string(q.dims), to_string(k.dims), to_string(v.dims));
  if (s.kv_heads < 1 || s.heads % s.kv_heads != 0) return fail("{} heads for {} of k and v", s.heads, s.kv_heads);
  return s;
}

/// The mask with its broadcast to [batch, heads, tq, tk]; no data: none.
struct Mask {
  Tensor tensor;
  Dims steps;  // 0 where it broadcasts
};
Result<Mask> mask_of(const engine::AttentionProblem& p, const AttentionSizes& s, const Tensor& tensor) {
  Dims dims = tensor.dims;
  if (p.mask.has_rank() && p.mask.rank() != tensor.rank()) {
    TENON_TRY(pattern, dims_like(p.mask, tensor));
    dims = pattern;
  }
  if (dims.size() > 4) return fail("a mask of {} dims", dims.size());
  dims.insert(dims.begin(), 4 - dims.size(), 1);
  const Dims whole{s.batch, s.heads, s.tq, s.tk};
  Mask mask{.tensor = {}, .steps = strides_of(dims)};
  for (size_t i = 0; i < 4; ++i) {
    if (dims[i] != 1 && dims[i] != whole[i]) return fail("a mask {} for scores {}", to_string(dims), to_string(whole));
    if (dims[i] == 1) mask.steps[i] = 0;
  }
  TENON_TRY(values, convert(tensor, DType::f32));
  mask.tensor = values;
  return mask;
}

/// The scores of one head become weights.
void softmax_rows(const engine::AttentionProblem& p, const AttentionSizes& s, const float* mask, const Dims& steps, float* scores) {
  const auto scale = static_cast<float>(p.scale);
  for (int64_t i = 0; i < s.tq; ++i, scores += s.tk) {
    float most = -INFINITY;
    for (int64_t j = 0; j < s.tk; ++j) {
      float x = scores[j] * scale;
      if (mask) x += mask[i * steps[2] + j * steps[3]];
      if (p.causal && j > i + s.tk - s.tq) x = -INFINITY;
      scores[j] = x;
      most = x > most || x != x ? x : most;
    }
    double sum = 0;
    for (int64_t j = 0; j < s.tk; ++j) {
      scores[j] = std::exp(scores[j] - most);
      sum += static_cast<double>(scores[j]);
    }
    for (int64_t j = 0; j < s.tk; ++j) scores[j] /= static_cast<float>(sum);
  }
}

}  // namespace

Result<void> run(const engine::AttentionProblem& p, std::span<const HostValue> in, std::span<HostValue> out) {
  const Tensor* given[3] = {};
  Tensor x[3];
  constexpr std::string_view kNames[] = {"q", "k", "v"};
  for (size_t i = 0; i < 3; ++i) {
    TENON_TRY(tensor, operand(in, i, kNames[i], 4));
    if (tensor->rank() != 4) return fail("{} must have 4 dims, got {}", kNames[i], to_string(tensor->dims));
    given[i] = tensor;
    TENON_TRY(wide, convert(*tensor, DType::f32));
    x[i] = wide;
  }
  TENON_TRY(s, sizes_of(*given[0], *given[1], *given[2]));
  Mask mask;
  if (p.has_mask) {
    TENON_TRY(tensor, operand(in, 3, "the mask"));
    TENON_TRY(known, mask_of(p, s, *tensor));
    mask = known;
  }
  const Dims dims{s.batch, s.heads, s.tq, s.dv};
  TENON_TRY(elems, checked_elems(dims));
  TENON_TRY(result, begin_result(DType::f32, dims, p.type, p.epilogue, out));
  if (elems > 0 && s.tk > 0) {
    TENON_TRY(scores, Tensor::allocate(DType::f32, {s.tq, s.tk}));
    TENON_TRY(first, Workspace<float>::make(s.tq, s.tk, s.d));
    TENON_TRY(second, Workspace<float>::make(s.tq, s.dv, s.tk));
    const float *q = x[0].as<float>().data(), *k = x[1].as<float>().data(), *v = x[2].as<float>().data();
    float *y = result.as<float>().data(), *weights = scores.as<float>().data();
    for (int64_t b = 0; b < s.batch; ++b)
      for (int64_t h = 0; h < s.heads; ++h) {
        const int64_t head = b * s.heads + h, kv = b * s.kv_heads + h / (s.heads / s.kv_heads);
        const Dense<float> keys{k + kv * s.tk * s.d, 1, s.d}, values{v + kv * s.tk * s.dv, s.dv, 1};
        multiply(s.tq, s.tk, s.d, Dense<float>{q + head * s.tq * s.d, s.d, 1}, keys, weights, s.tk, first);
        const float* offset = p.has_mask ? mask.tensor.as<float>().data() + b * mask.steps[0] + h * mask.steps[1] : nullptr;
        softmax_rows(p, s, offset, mask.steps, weights);
        multiply(s.tq, s.dv, s.tk, Dense<float>{weights, s.tk, 1}, values, y + head * s.tq * s.dv, s.dv, second);
      }
  } else {
    std::fill(result.as<float>().begin(), result.as<float>().end(), 0.0F);
  }
  const bool place_kept = in.size() > 3 && in[3].kind == HostValue::Kind::absent;  // an absent mask before the epilogue's operands
  return finish(result, p.type, p.epilogue, in.subspan(p.has_mask || place_kept ? 4 : 3), out);
}

}  // namespace tenon::reference
