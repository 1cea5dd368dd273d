#include <algorithm>
#include <cmath>

#include "reference/common.h"
#include "reference/multiply.h"
#include "reference/reference.h"

namespace tenon::reference {
namespace {

struct AttentionSizes {
  int64_t batch, heads, kv_heads, tq, tk, d, dv;
};

/// Of the problem where an operand lies inside a larger tensor, else of the operands.
Result<AttentionSizes> sizes_of(const engine::AttentionProblem& p, const Tensor& q, const Tensor& k, const Tensor& v) {
  AttentionSizes s{};
  if (p.q.strides.empty()) {
    for (const Tensor* x : {&q, &k, &v})
      if (x->rank() != 4) return fail("an operand must have 4 dims, got {}", to_string(x->dims));
    s = {q.dims[0], q.dims[1], k.dims[1], q.dims[2], k.dims[2], q.dims[3], v.dims[3]};
    if (k.dims != Dims{s.batch, s.kv_heads, s.tk, s.d} || v.dims != Dims{s.batch, s.kv_heads, s.tk, s.dv})
      return fail("q {}, k {} and v {} do not fit", to_string(q.dims), to_string(k.dims), to_string(v.dims));
  } else {
    const Dim dims[] = {p.batch, p.heads, p.kv_heads, p.tq, p.tk, p.d, p.dv};
    TENON_TRY(n, numbers(dims, "sizes"));
    if (std::any_of(n.begin(), n.end(), [](int64_t size) { return size < 0; })) return fail("a size is negative");
    s = {n[0], n[1], n[2], n[3], n[4], n[5], n[6]};
  }
  if (s.kv_heads < 1 || s.heads % s.kv_heads != 0) return fail("{} heads for {} of k and v", s.heads, s.kv_heads);
  return s;
}

/// The operand as dense FP32.
Result<Tensor> dense_heads(const engine::HeadsView& view, const Tensor& from, const Dims& dims) {
  TENON_TRY(wide, convert(from, DType::f32));
  if (view.strides.empty()) return wide;
  const Dim positions[] = {view.offset, view.strides.size() > 0 ? view.strides[0] : 0, view.strides.size() > 1 ? view.strides[1] : 0,
                           view.strides.size() > 2 ? view.strides[2] : 0};
  TENON_TRY(at, numbers(positions, "places"));
  TENON_OK(checked_elems(dims));
  TENON_TRY(out, Tensor::allocate(DType::f32, dims));
  if (out.elems() == 0) return out;
  int64_t last = at[0] + dims[3] - 1;
  for (size_t i = 0; i < 3; ++i) {
    if (at[i + 1] < 0) return fail("a stride is negative");
    TENON_OK(check_extent(last, dims[i], at[i + 1]));
    last += (dims[i] - 1) * at[i + 1];
  }
  if (at[0] < 0 || last >= wide.elems()) return fail("heads reach element {} of {}", last, wide.elems());
  const float* source = wide.as<float>().data();
  float* to = out.as<float>().data();
  for (int64_t b = 0; b < dims[0]; ++b)
    for (int64_t h = 0; h < dims[1]; ++h)
      for (int64_t t = 0; t < dims[2]; ++t, to += dims[3]) std::copy_n(source + at[0] + b * at[1] + h * at[2] + t * at[3], dims[3], to);
  return out;
}

/// [batch, heads, tq, dv] in the order that the problem wants.
Result<Tensor> in_order(const Tensor& y, const std::vector<int64_t>& perm) {
  const Dims from = strides_of(y.dims);
  Dims dims, steps;
  for (const int64_t axis : perm) {
    if (perm.size() != 4 || axis < 0 || axis > 3) return fail("no order of four dims");
    dims.push_back(y.dims[static_cast<size_t>(axis)]), steps.push_back(from[static_cast<size_t>(axis)]);
  }
  TENON_OK(checked_elems(dims));
  TENON_TRY(out, Tensor::allocate(DType::f32, dims));
  const float* source = y.as<float>().data();
  float* to = out.as<float>().data();
  for (int64_t a = 0; a < dims[0]; ++a)
    for (int64_t b = 0; b < dims[1]; ++b)
      for (int64_t c = 0; c < dims[2]; ++c)
        for (int64_t i = 0; i < dims[3]; ++i) *to++ = source[a * steps[0] + b * steps[1] + c * steps[2] + i * steps[3]];
  return out;
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
    if (p.nan_to_zero && !(sum > 0)) {
      std::fill_n(scores, s.tk, 0.0F);
      continue;
    }
    for (int64_t j = 0; j < s.tk; ++j) scores[j] /= static_cast<float>(sum);
  }
}

}  // namespace

Result<void> run(const engine::AttentionProblem& p, std::span<const HostValue> in, std::span<HostValue> out) {
  const Tensor* given[3] = {};
  constexpr std::string_view kNames[] = {"q", "k", "v"};
  for (size_t i = 0; i < 3; ++i) {
    TENON_TRY(tensor, operand(in, i, kNames[i]));
    given[i] = tensor;
  }
  TENON_TRY(s, sizes_of(p, *given[0], *given[1], *given[2]));
  TENON_TRY(q_heads, dense_heads(p.q, *given[0], {s.batch, s.heads, s.tq, s.d}));
  TENON_TRY(k_heads, dense_heads(p.k, *given[1], {s.batch, s.kv_heads, s.tk, s.d}));
  TENON_TRY(v_heads, dense_heads(p.v, *given[2], {s.batch, s.kv_heads, s.tk, s.dv}));
  Mask mask;
  if (p.has_mask) {
    TENON_TRY(tensor, operand(in, 3, "the mask"));
    TENON_TRY(known, mask_of(p, s, *tensor));
    mask = known;
  }
  const Dims dims{s.batch, s.heads, s.tq, s.dv};
  TENON_TRY(elems, checked_elems(dims));
  TENON_TRY(result, p.perm.empty() ? begin_result(DType::f32, dims, p.type, p.epilogue, out) : Tensor::allocate(DType::f32, dims));
  if (elems > 0 && s.tk > 0) {
    TENON_TRY(scores, Tensor::allocate(DType::f32, {s.tq, s.tk}));
    TENON_TRY(first, Workspace<float>::make(s.tq, s.tk, s.d));
    TENON_TRY(second, Workspace<float>::make(s.tq, s.dv, s.tk));
    const float *q = q_heads.as<float>().data(), *k = k_heads.as<float>().data(), *v = v_heads.as<float>().data();
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
  if (!p.perm.empty()) {
    TENON_TRY(ordered, in_order(result, p.perm));
    result = ordered;
  }
  const bool place_kept = in.size() > 3 && in[3].kind == HostValue::Kind::absent;  // an absent mask before the epilogue's operands
  return finish(result, p.type, p.epilogue, in.subspan(p.has_mask || place_kept ? 4 : 3), out);
}

}  // namespace tenon::reference
