#include "ops/non_max_suppression.h"

#include <algorithm>
#include <cmath>

namespace tenon::ops {

Result<Facts> infer(const NonMaxSuppression&, std::span<const Fact> in, InferCtx& ctx) {
  if (in.size() < 2) return fail("boxes and scores are wanted, got {} inputs", in.size());
  for (const Fact& x : in.first(2))
    if (x.has_rank() && x.rank() != 3) return fail("boxes and scores have rank 3, got {}", to_string(x.shape()));
  return Facts{Fact(DType::i64, Shape{ctx.mint("selected"), Dim(3)})};
}

namespace {

struct Box {
  float y0 = 0, x0 = 0, y1 = 0, x1 = 0;
  float area() const { return (y1 - y0) * (x1 - x0); }
};

Box box_of(const float* at, bool center) {
  if (center) return {at[1] - at[3] / 2, at[0] - at[2] / 2, at[1] + at[3] / 2, at[0] + at[2] / 2};
  return {std::min(at[0], at[2]), std::min(at[1], at[3]), std::max(at[0], at[2]), std::max(at[1], at[3])};  // any two opposite corners
}

/// Intersection over union above the threshold.
bool overlap(const Box& a, const Box& b, float threshold) {
  const float height = std::min(a.y1, b.y1) - std::max(a.y0, b.y0), width = std::min(a.x1, b.x1) - std::max(a.x0, b.x0);
  if (height <= 0 || width <= 0) return false;
  const float both = height * width, either = a.area() + b.area() - both;
  return either > 0 && both / either > threshold;
}

Result<double> scalar(std::span<const HostValue> in, size_t i, double otherwise) {
  if (i >= in.size() || in[i].kind != HostValue::Kind::tensor) return otherwise;
  const Tensor& x = in[i].tensor;
  if (x.elems() != 1) return fail("input {} is {}, wanted one element", i, to_string(x.dims));
  return is_float(x.dtype) ? element_as_double(x, 0) : static_cast<double>(element_as_int(x, 0));
}

}  // namespace

Result<void> eval(const NonMaxSuppression& op, std::span<const HostValue> in, std::span<HostValue> out) {
  TENON_TRY(boxes, convert(in[0].tensor, DType::f32));
  TENON_TRY(scores, convert(in[1].tensor, DType::f32));
  if (boxes.rank() != 3 || boxes.dims[2] != 4) return fail("boxes are {}, wanted [batch, n, 4]", to_string(boxes.dims));
  const int64_t batches = boxes.dims[0], count = boxes.dims[1];
  if (scores.rank() != 3 || scores.dims[0] != batches || scores.dims[2] != count)
    return fail("scores are {}, wanted [{}, class, {}]", to_string(scores.dims), batches, count);
  TENON_TRY(most, scalar(in, 2, 0));
  TENON_TRY(iou, scalar(in, 3, 0));
  TENON_TRY(least_score, scalar(in, 4, -INFINITY));
  const auto limit = static_cast<size_t>(std::clamp(most, 0.0, static_cast<double>(count)));
  std::vector<int64_t> rows;
  std::vector<int64_t> order;
  std::vector<Box> chosen;
  for (int64_t batch = 0; batch < batches; ++batch) {
    for (int64_t kind = 0; kind < scores.dims[1]; ++kind) {
      const float* score = reinterpret_cast<const float*>(scores.data) + (batch * scores.dims[1] + kind) * count;
      order.clear();
      for (int64_t i = 0; i < count; ++i)
        if (score[i] > least_score) order.push_back(i);
      std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) { return score[a] > score[b]; });
      chosen.clear();
      for (const int64_t i : order) {
        if (chosen.size() >= limit) break;
        const Box box = box_of(reinterpret_cast<const float*>(boxes.data) + (batch * count + i) * 4, op.center_point_box);
        if (std::ranges::any_of(chosen, [&](const Box& other) { return overlap(box, other, static_cast<float>(iou)); })) continue;
        chosen.push_back(box);
        rows.insert(rows.end(), {batch, kind, i});
      }
    }
  }
  TENON_OK(prepare_output(out[0], DType::i64, {static_cast<int64_t>(rows.size() / 3), 3}));
  std::ranges::copy(rows, out[0].tensor.as<int64_t>().begin());
  return {};
}

template OpRow make_row<NonMaxSuppression>();

}  // namespace tenon::ops
