#include "reference/reference.h"

#include "ops/ops.h"
#include "reference/test_values.h"

namespace tenon::reference {
namespace {

using engine::PoolKind;
using engine::ReduceKind;

TEST(Reduce, AgreesWithThePlainLoops) {
  constexpr DType kTypes[] = {DType::f32, DType::f16, DType::i32, DType::f64};
  for (int round = 0; round < 400; ++round) {
    const auto kind = static_cast<ReduceKind>(round % 12);
    const DType type = kTypes[static_cast<size_t>(round / 12) % std::size(kTypes)];
    const bool index = kind == ReduceKind::arg_max || kind == ReduceKind::arg_min;
    engine::ReduceProblem p{.kind = kind, .in = type, .out = index ? DType::i64 : type};
    p.keepdims = pick(0, 1), p.last_index = pick(0, 1);
    Dims dims, kept, slice;
    for (int64_t d = pick(1, 4); d > 0; --d) dims.push_back(pick(1, 5));
    for (size_t d = 0; d < dims.size(); ++d)
      if (index ? d == static_cast<size_t>(round) % dims.size() : pick(0, 1)) p.axes.push_back(static_cast<int64_t>(d));
    Dims out_steps(dims.size(), 0);
    for (size_t d = 0; d < dims.size(); ++d) {
      const bool reduced = std::find(p.axes.begin(), p.axes.end(), static_cast<int64_t>(d)) != p.axes.end();
      kept.push_back(reduced ? 1 : dims[d]);
      if (!reduced || p.keepdims) slice.push_back(kept.back());
    }
    const Dims kept_steps = strides_of(kept), steps = strides_of(dims);
    const Tensor x = random_tensor(type, dims);
    std::vector<std::vector<double>> slices(static_cast<size_t>(elems_of(kept)));
    for (int64_t i = 0; i < x.elems(); ++i) {
      int64_t to = 0;
      for (size_t d = 0; d < dims.size(); ++d) to += kept[d] == 1 ? 0 : i / steps[d] % dims[d] * kept_steps[d];
      slices[static_cast<size_t>(to)].push_back(element_as_double(x, i));
    }
    std::vector<double> want;
    for (const auto& values : slices) {
      double sum = 0, abs = 0, square = 0, exp = 0, product = 1, least = INFINITY, most = -INFINITY;
      double at_least = 0, at_most = 0;
      for (size_t i = 0; i < values.size(); ++i) {
        const double v = values[i];
        sum += v, abs += std::fabs(v), square += v * v, exp += std::exp(v), product *= v;
        if (v < least || (p.last_index && v == least)) at_least = static_cast<double>(i);
        if (v > most || (p.last_index && v == most)) at_most = static_cast<double>(i);
        least = std::min(least, v), most = std::max(most, v);
      }
      const double all[] = {sum,
                            sum / static_cast<double>(values.size()),
                            most,
                            least,
                            product,
                            abs,
                            std::sqrt(square),
                            square,
                            std::log(sum),
                            std::log(exp),
                            at_most,
                            at_least};
      double value = all[static_cast<size_t>(kind)];
      if (is_int(type) && !index)
        value = std::isnan(value) ? 0 : std::isinf(value) ? static_cast<double>(static_cast<int32_t>(INT64_MIN)) : std::trunc(value);
      want.push_back(value);
    }
    expect_near(run_one(p, {x}), slice, want, type == DType::f16 ? 2e-3 : 1e-6, engine::to_string(engine::Problem(p)));
  }
}

TEST(Reduce, EmptySlicesAndNonsense) {
  const Tensor none = *Tensor::allocate(DType::f32, {2, 0, int64_t{1} << 40});
  engine::ReduceProblem p{.kind = ReduceKind::sum, .axes = {1, 2}, .keepdims = false};
  EXPECT_EQ(doubles_of(run_one(p, {none})), (std::vector<double>{0, 0}));
  p.kind = ReduceKind::max;
  EXPECT_EQ(doubles_of(run_one(p, {none}))[0], -INFINITY);
  p.kind = ReduceKind::mean;
  EXPECT_TRUE(std::isnan(doubles_of(run_one(p, {none}))[0]));
  for (const std::vector<int64_t>& axes : std::vector<std::vector<int64_t>>{{3}, {-1}, {1, 1}, {2, 0}}) {
    p.axes = axes;
    HostValue out;
    const HostValue in(none);
    EXPECT_FALSE(run(engine::Problem(p), std::span<const HostValue>(&in, 1), std::span<HostValue>(&out, 1)).ok());
  }
}

TEST(Norm, Softmax) {
  for (int round = 0; round < 40; ++round) {
    const Dims dims = {pick(1, 3), pick(1, 20), pick(1, 4)};
    const Tensor x = random_tensor(DType::f32, dims);
    engine::NormProblem p{.kind = round % 2 ? engine::NormKind::log_softmax : engine::NormKind::softmax, .axis = round % 3, .axes = 1};
    const Dims steps = strides_of(dims);
    const int64_t size = dims[static_cast<size_t>(p.axis)], step = steps[static_cast<size_t>(p.axis)];
    std::vector<double> v = doubles_of(x), want;
    for (int64_t i = 0; i < x.elems(); ++i) {
      double sum = 0;
      const int64_t base = i - i / step % size * step;
      for (int64_t k = 0; k < size; ++k) sum += std::exp(v[static_cast<size_t>(base + k * step)]);
      const double y = std::exp(v[static_cast<size_t>(i)]) / sum;
      want.push_back(round % 2 ? std::log(y) : y);
    }
    expect_near(run_one(p, {x}), dims, want, 1e-6, "softmax");
  }
}

TEST(Norm, LayerWithMoments) {
  const Tensor x = random_tensor(DType::f32, {3, 8, 5}), scale = random_tensor(DType::f32, {8, 5}), bias = random_tensor(DType::f32, {5});
  for (const bool rms : {false, true}) {
    engine::NormProblem p{.kind = rms ? engine::NormKind::rms : engine::NormKind::layer,
                          .axis = 1,
                          .axes = 2,
                          .epsilon = 1e-3,
                          .has_scale = true,
                          .has_bias = true};
    const std::vector<HostValue> in = {x, scale, bias};
    std::vector<HostValue> out(3);
    const auto status = run(engine::Problem(p), in, out);
    ASSERT_TRUE(status.ok()) << status.error().message();
    const std::vector<double> v = doubles_of(x), s = doubles_of(scale), b = doubles_of(bias);
    std::vector<double> want, means, inverses;
    for (size_t o = 0; o < 3; ++o) {
      double mean = 0, square = 0;
      for (size_t i = 0; i < 40; ++i) mean += rms ? 0 : v[o * 40 + i] / 40;
      for (size_t i = 0; i < 40; ++i) square += (v[o * 40 + i] - mean) * (v[o * 40 + i] - mean) / 40;
      means.push_back(mean), inverses.push_back(1 / std::sqrt(square + 1e-3));
      for (size_t i = 0; i < 40; ++i) want.push_back((v[o * 40 + i] - mean) * inverses.back() * s[i] + b[i % 5]);
    }
    expect_near(out[0].tensor, {3, 8, 5}, want, 1e-5, "y");
    expect_near(out[1].tensor, {3, 1, 1}, means, 1e-6, "mean");
    expect_near(out[2].tensor, {3, 1, 1}, inverses, 1e-6, "inverse deviation");
  }
  const std::vector<HostValue> bias_only = {x, HostValue(), bias};
  engine::NormProblem p{.kind = engine::NormKind::layer, .axis = 2, .axes = 1, .has_bias = true};
  EXPECT_EQ(run_one(p, bias_only).dims, (Dims{3, 8, 5}));
}

TEST(Attention, IsProductSoftmaxProduct) {
  for (int round = 0; round < 40; ++round) {
    const int64_t batch = pick(1, 2), kv_heads = pick(1, 3), times = pick(1, 2), heads = kv_heads * times;
    const int64_t tq = pick(1, 6), tk = tq + pick(0, 3), d = pick(1, 9), dv = pick(1, 5);
    engine::AttentionProblem p{.scale = 0.5, .causal = pick(0, 1) == 1, .has_mask = pick(0, 1) == 1};
    const std::vector<Dims> masks = {{tk}, {tq, tk}, {heads, 1, tk}, {batch, 1, tq, tk}, {batch, heads, tq, 1}};
    const Dims mask_dims = masks[static_cast<size_t>(pick(0, 4))];
    std::vector<HostValue> in = {random_tensor(DType::f32, {batch, heads, tq, d}), random_tensor(DType::f32, {batch, kv_heads, tk, d}),
                                 random_tensor(DType::f32, {batch, kv_heads, tk, dv})};
    if (p.has_mask) in.emplace_back(random_tensor(DType::f32, mask_dims));
    p.mask = Shape(dims_of(mask_dims));
    const std::vector<double> q = doubles_of(in[0].tensor), k = doubles_of(in[1].tensor), v = doubles_of(in[2].tensor);
    const std::vector<double> mask = p.has_mask ? doubles_of(in[3].tensor) : std::vector<double>{};
    const auto mask_at = [&](const Dims& at) {
      int64_t index = 0;
      for (size_t i = 0; i < mask_dims.size(); ++i)
        index = index * mask_dims[i] + (mask_dims[i] == 1 ? 0 : at[at.size() - mask_dims.size() + i]);
      return mask[static_cast<size_t>(index)];
    };
    std::vector<double> want;
    for (int64_t b = 0; b < batch; ++b)
      for (int64_t h = 0; h < heads; ++h)
        for (int64_t i = 0; i < tq; ++i) {
          const int64_t kv = b * kv_heads + h / times;
          std::vector<double> weights;
          double sum = 0;
          for (int64_t j = 0; j < tk; ++j) {
            double score = 0;
            for (int64_t x = 0; x < d; ++x)
              score += q[static_cast<size_t>(((b * heads + h) * tq + i) * d + x)] * k[static_cast<size_t>((kv * tk + j) * d + x)];
            score = score / 2 + (p.has_mask ? mask_at({b, h, i, j}) : 0);
            weights.push_back(p.causal && j > i + tk - tq ? 0 : std::exp(score));
            sum += weights.back();
          }
          for (int64_t x = 0; x < dv; ++x) {
            double y = 0;
            for (int64_t j = 0; j < tk; ++j) y += weights[static_cast<size_t>(j)] / sum * v[static_cast<size_t>((kv * tk + j) * dv + x)];
            want.push_back(y);
          }
        }
    expect_near(run_one(p, in), {batch, heads, tq, dv}, want, 1e-4, engine::to_string(engine::Problem(p)));
  }
}

TEST(Attention, ReadsHeadsInsideOneTensorAndWritesThemInOrder) {
  constexpr int64_t kBatch = 2, kHeads = 3, kTime = 5, kWidth = 4, kRow = 3 * kHeads * kWidth;
  const Tensor packed = random_tensor(DType::f32, {kBatch, kTime, kRow});
  engine::AttentionProblem p{.batch = kBatch, .heads = kHeads, .kv_heads = kHeads, .tq = kTime, .tk = kTime, .d = kWidth, .dv = kWidth};
  p.scale = 0.5;
  std::vector<HostValue> dense;
  for (const int64_t part : {0, 1, 2}) {
    Tensor heads = *Tensor::allocate(DType::f32, {kBatch, kHeads, kTime, kWidth});
    float* to = heads.as<float>().data();
    for (int64_t b = 0; b < kBatch; ++b)
      for (int64_t h = 0; h < kHeads; ++h)
        for (int64_t t = 0; t < kTime; ++t)
          for (int64_t i = 0; i < kWidth; ++i)
            *to++ = packed.as<float>()[static_cast<size_t>((b * kTime + t) * kRow + (part * kHeads + h) * kWidth + i)];
    dense.emplace_back(heads);
  }
  const std::vector<double> want = doubles_of(run_one(p, dense));
  const auto view = [&](int64_t part) { return engine::HeadsView{part * kHeads * kWidth, {kTime * kRow, kWidth, kRow}}; };
  p.q = view(0), p.k = view(1), p.v = view(2);
  p.perm = {2, 0, 1, 3};
  const std::vector<HostValue> in(3, HostValue(packed));
  const Tensor got = run_one(p, in);
  EXPECT_EQ(got.dims, (Dims{kTime, kBatch, kHeads, kWidth}));
  for (int64_t b = 0; b < kBatch; ++b)
    for (int64_t h = 0; h < kHeads; ++h)
      for (int64_t t = 0; t < kTime; ++t)
        for (int64_t i = 0; i < kWidth; ++i)
          EXPECT_EQ(got.as<float>()[static_cast<size_t>(((t * kBatch + b) * kHeads + h) * kWidth + i)],
                    static_cast<float>(want[static_cast<size_t>(((b * kHeads + h) * kTime + t) * kWidth + i)]));
  // A plan is not trusted: heads end inside the tensor.
  HostValue out;
  p.v.offset = p.v.offset + Dim(1);
  EXPECT_FALSE(run(p, in, std::span<HostValue>(&out, 1)).ok());
  p.v = view(2), p.k.strides[2] = Dim(INT64_MAX / 8);
  EXPECT_FALSE(run(p, in, std::span<HostValue>(&out, 1)).ok());
}

TEST(Pool, AgreesWithThePlainLoops) {
  for (int round = 0; round < 200; ++round) {
    engine::PoolProblem p{.kind = static_cast<PoolKind>(round % 3)};
    p.count_include_pad = pick(0, 1);
    p.p = pick(1, 3);
    const int64_t rank = pick(1, 3), n = pick(1, 2), c = pick(1, 3);
    Dims in, out, pads;
    for (int64_t d = 0; d < rank; ++d) {
      const int64_t kernel = pick(1, 3), dilation = pick(1, 2), stride = pick(1, 3), reach = (kernel - 1) * dilation + 1;
      const int64_t pad = pick(0, kernel - 1), end = pick(0, kernel - 1), size = pick(1, 7) + reach;
      in.push_back(size), pads.push_back(pad), out.push_back((size + pad + end - reach) / stride + 1);
      p.kernel.push_back(kernel), p.dilations.push_back(dilation), p.strides.push_back(stride), p.pads_end.push_back(end);
    }
    p.out_spatial = dims_of(out), p.pads = dims_of(pads);
    Dims x_dims = {n, c}, y_dims = {n, c};
    x_dims.insert(x_dims.end(), in.begin(), in.end());
    y_dims.insert(y_dims.end(), out.begin(), out.end());
    const Tensor x = random_tensor(DType::f32, x_dims);
    const std::vector<double> v = doubles_of(x);
    const Dims in_steps = strides_of(in), out_steps = strides_of(out), tap_steps = strides_of(p.kernel);
    std::vector<double> want, where;
    for (int64_t plane = 0; plane < n * c; ++plane)
      for (int64_t o = 0; o < elems_of(out); ++o) {
        double most = -INFINITY, sum = 0, power = 0, at = 0;
        int64_t inside = 0, padded = 0;
        for (int64_t t = 0; t < elems_of(p.kernel); ++t) {
          int64_t offset = plane * elems_of(in);
          bool real = true, frame = true;
          for (size_t d = 0; d < in.size(); ++d) {
            const int64_t l = o / out_steps[d] % out[d] * p.strides[d] + t / tap_steps[d] % p.kernel[d] * p.dilations[d] - pads[d];
            real = real && l >= 0 && l < in[d];
            frame = frame && l < in[d] + *p.pads_end[d].constant();
            offset += l * in_steps[d];
          }
          padded += frame;
          if (!real) continue;
          ++inside;
          const double value = v[static_cast<size_t>(offset)];
          if (value > most) at = static_cast<double>(offset);
          most = std::max(most, value), sum += value, power += std::pow(std::fabs(value), static_cast<double>(p.p));
        }
        where.push_back(at);
        want.push_back(p.kind == PoolKind::max       ? most
                       : p.kind == PoolKind::average ? sum / static_cast<double>(p.count_include_pad ? padded : inside)
                                                     : std::pow(power, 1 / static_cast<double>(p.p)));
      }
    std::vector<HostValue> outs(p.kind == PoolKind::max ? 2 : 1);
    const HostValue value(x);
    const auto status = run(engine::Problem(p), std::span<const HostValue>(&value, 1), outs);
    ASSERT_TRUE(status.ok()) << status.error().message();
    expect_near(outs[0].tensor, y_dims, want, 1e-5, engine::to_string(engine::Problem(p)));
    if (outs.size() > 1) expect_near(outs[1].tensor, y_dims, where, 0, "indices");
    p.channels_last = true;
    const Tensor same = channels_last(outs[0].tensor);
    expect_near(run_one(p, {channels_last(x)}), same.dims, doubles_of(same), 0, engine::to_string(engine::Problem(p)));
    if (outs.size() > 1) {
      EXPECT_FALSE(run(engine::Problem(p), std::span<const HostValue>(&value, 1), outs).ok());
    }
  }
}

TEST(Copy, StridesOfEveryElementType) {
  for (int t = 1; t < 27; ++t) {
    const auto type = static_cast<DType>(t);
    const Tensor x = type == DType::str || is_complex(type) ? *Tensor::allocate(type, {4, 6}) : random_tensor(type, {4, 6});
    if (type == DType::str)
      for (size_t i = 0; i < 24; ++i) Tensor(x).as<std::string>()[i] = std::to_string(i);
    if (is_complex(type)) std::fill(x.data, x.data + x.bytes(), std::byte{1});
    engine::CopyProblem p{.type = type, .shape = Shape{2, 6, 3}, .offset = 23, .strides = {Dim(0), Dim(-1), Dim(-6)}};
    const Tensor y = run_one(p, {x});
    for (int64_t a = 0; a < 2; ++a)
      for (int64_t b = 0; b < 6; ++b)
        for (int64_t c = 0; c < 3; ++c) {
          const int64_t from = 23 - b - 6 * c, to = (a * 6 + b) * 3 + c;
          if (type == DType::str) {
            ASSERT_EQ(y.as<std::string>()[static_cast<size_t>(to)], std::to_string(from));
          } else if (!is_complex(type)) {
            ASSERT_EQ(element_as_double(y, to), element_as_double(x, from)) << to_string(type);
          }
        }
    for (const auto& [offset, step] : std::vector<std::pair<int64_t, int64_t>>{{24, 0}, {-1, 0}, {23, 1}, {0, -1}, {0, INT64_MAX / 4}}) {
      const engine::CopyProblem bad{.type = type, .shape = Shape{3}, .offset = offset, .strides = {Dim(step)}};
      HostValue out;
      const HostValue in(x);
      EXPECT_FALSE(run(engine::Problem(bad), std::span<const HostValue>(&in, 1), std::span<HostValue>(&out, 1)).ok());
    }
  }
}

TEST(Pointwise, TakesTheProblemsGroupingOfDims) {
  engine::PointwiseProblem p{.expr = *from_text<Expr>("{add(x0:f32, x1:f32)}")};
  const Tensor x = random_tensor(DType::f32, {2, 3, 4}), c = random_tensor(DType::f32, {3});
  const std::vector<double> a = doubles_of(x), b = doubles_of(c);
  std::vector<double> want;
  for (size_t i = 0; i < 24; ++i) want.push_back(a[i] + b[i / 4 % 3]);
  for (const Dim& channels : {Dim(3), Dim::symbol("c")}) {
    p.in = {Shape{2, 3, 4}, Shape{channels, 1}};
    p.out = Shape{2, channels, 4};
    expect_near(run_one(p, {x, c}), {2, 3, 4}, want, 0, "per channel");
  }
}

/// An operator on values, and the same through its name.
std::vector<Tensor> run_by_name(const Op& op, const std::vector<HostValue>& in, size_t outputs = 1) {
  std::vector<HostValue> out(outputs), again(outputs);
  const auto status = run_op(op, in, out);
  EXPECT_TRUE(status.ok()) << status.error().message();
  engine::ReferenceProblem p{.op = std::string(op.name())};
  ByteWriter bytes;
  encode(*op.row().attributes, op.attributes(), bytes);
  p.attributes = bytes.bytes();
  EXPECT_TRUE(run(engine::Problem(p), in, again).ok());
  std::vector<Tensor> tensors;
  for (size_t i = 0; i < outputs; ++i) {
    EXPECT_EQ(out[i].tensor.dims, again[i].tensor.dims);
    tensors.push_back(out[i].tensor);
  }
  return tensors;
}

TEST(RunOp, ProblemsAndOwnEvaluators) {
  const Tensor x = random_tensor(DType::f32, {2, 3, 4});
  EXPECT_EQ(run_by_name(ops::make_op(ops::Transpose{.perm = {2, 0, 1}}), {x})[0].dims, (Dims{4, 2, 3}));
  EXPECT_EQ(ints_of(run_by_name(ops::make_op(ops::ShapeOf{}), {x})[0]), (Dims{2, 3, 4}));
  EXPECT_EQ(run_by_name(ops::make_op(ops::MatMul{}), {x, random_tensor(DType::f32, {4})})[0].dims, (Dims{2, 3}));
  EXPECT_EQ(run_by_name(ops::make_op(ops::Reduce{.axes = {-1}, .keepdims = false}), {x})[0].dims, (Dims{2, 3}));
  EXPECT_EQ(run_by_name(ops::make_op(ops::Expand{}), {random_tensor(DType::f32, {3, 1}), int64_tensor({2, 1, 4})})[0].dims,
            (Dims{2, 3, 4}));
  const Tensor slice = run_by_name(ops::make_op(ops::Slice{}), {int64_tensor({0, 1, 2, 3, 4}), int64_tensor({-1}),
                                                                int64_tensor({INT64_MIN}), int64_tensor({0}), int64_tensor({-2})})[0];
  EXPECT_EQ(ints_of(slice), (Dims{4, 2, 0}));
  const Tensor none = run_by_name(ops::make_op(ops::Slice{}), {int64_tensor({}), int64_tensor({-1}), int64_tensor({INT64_MIN}),
                                                               int64_tensor({0}), int64_tensor({-1})})[0];
  EXPECT_EQ(none.elems(), 0);
  for (const int64_t step : {INT64_MIN, -5L, 5L, INT64_MAX}) {  // one element, however far the next one would be
    const Tensor last = run_by_name(ops::make_op(ops::Slice{}),
                                    {int64_tensor({3, 5, 7}), int64_tensor({2}), int64_tensor({step < 0 ? INT64_MIN : INT64_MAX}),
                                     int64_tensor({0}), int64_tensor({step})})[0];
    EXPECT_EQ(ints_of(last), (Dims{7})) << step;
  }
  ops::BatchNorm norm;
  const Tensor c = *convert(int64_tensor({1, 4, 9}), DType::f32);
  EXPECT_EQ(run_by_name(ops::make_op(norm), {x, c, c, c, c})[0].dims, (Dims{2, 3, 4}));
  ops::Pool pool{.kernel = {2}, .strides = {2}};
  EXPECT_EQ(run_by_name(ops::make_op(pool), {x}, 2)[1].dims, (Dims{2, 3, 2}));
}

TEST(RunOp, NoInputsNoCrash) {
  for (const OpRow& row : ops::op_table()) {
    if (row.has_regions || (!row.problem && !row.eval)) continue;
    if (row.problem) {  // rows with their own evaluator check for themselves
      const Op op(row, row.make());
      for (const size_t count : {0, 1, 2, 5}) {
        const std::vector<HostValue> in(count);
        std::vector<HostValue> out(1);
        EXPECT_FALSE(run_op(op, in, out).ok() && out[0].kind == HostValue::Kind::absent) << row.name;
      }
    }
  }
  engine::ReferenceProblem p{.op = "Nope"};
  HostValue out;
  EXPECT_FALSE(run(engine::Problem(p), {}, std::span<HostValue>(&out, 1)).ok());
}

}  // namespace
}  // namespace tenon::reference
