#include "reference/test_values.h"

namespace tenon::reference {
namespace {

using engine::ConvProblem;

struct Case {
  ConvProblem p;
  Dims in, kernel, out, pads;
  int64_t n, c, m;  // c and m: of all groups
};

Case random_case(bool transposed) {
  Case k;
  k.p.transposed = transposed;
  k.p.groups = pick(0, 2) ? 1 : pick(1, 4);
  const bool depthwise = pick(0, 3) == 0;
  k.n = pick(0, 5) ? pick(1, 2) : 0;
  k.c = k.p.groups * (depthwise ? 1 : pick(1, 9));
  k.m = k.p.groups * (depthwise ? pick(1, 2) : pick(1, 20));
  const int64_t rank = pick(1, 3);
  for (int64_t d = 0; d < rank; ++d) {
    const int64_t kernel = pick(1, 4), dilation = pick(1, 2), stride = pick(1, 3), pad = pick(0, 2), reach = (kernel - 1) * dilation + 1;
    const int64_t in = pick(1, 12) + (transposed ? 0 : reach), end = pick(0, 2);
    const int64_t out = transposed ? std::max<int64_t>(0, (in - 1) * stride + reach - pad - end) : (in + pad + end - reach) / stride + 1;
    k.in.push_back(in), k.kernel.push_back(kernel), k.out.push_back(out), k.pads.push_back(pad);
    k.p.strides.push_back(stride), k.p.dilations.push_back(dilation);
  }
  k.p.n = k.n, k.p.c = k.c, k.p.m = k.m;
  k.p.in_spatial = dims_of(k.in), k.p.kernel = dims_of(k.kernel), k.p.out_spatial = dims_of(k.out), k.p.pads = dims_of(k.pads);
  return k;
}

/// Walks output (or, transposed, input) positions and taps; adds x * w where they meet.
std::vector<double> plain(const Case& k, const std::vector<double>& x, const std::vector<double>& w, const std::vector<double>& bias) {
  const bool t = k.p.transposed;
  const Dims &small = t ? k.in : k.out, &large = t ? k.out : k.in;
  const int64_t inputs = elems_of(k.in), outputs = elems_of(k.out), taps = elems_of(k.kernel), c = k.c / k.p.groups, m = k.m / k.p.groups;
  const Dims small_steps = strides_of(small), large_steps = strides_of(large), tap_steps = strides_of(k.kernel);
  std::vector<double> y(static_cast<size_t>(k.n * k.m * outputs), 0);
  for (size_t i = 0; i < y.size(); ++i) y[i] = bias.empty() ? 0 : bias[i / static_cast<size_t>(outputs) % static_cast<size_t>(k.m)];
  for (int64_t position = 0; position < elems_of(small); ++position)
    for (int64_t tap = 0; tap < taps; ++tap) {
      int64_t at = 0;
      bool inside = true;
      for (size_t d = 0; d < small.size(); ++d) {
        const int64_t l =
            position / small_steps[d] % small[d] * k.p.strides[d] + tap / tap_steps[d] % k.kernel[d] * k.p.dilations[d] - k.pads[d];
        inside = inside && l >= 0 && l < large[d];
        at += l * large_steps[d];
      }
      if (!inside) continue;
      const int64_t from = t ? position : at, to = t ? at : position;
      for (int64_t i = 0; i < k.n; ++i)
        for (int64_t g = 0; g < k.p.groups; ++g)
          for (int64_t a = 0; a < c; ++a)
            for (int64_t b = 0; b < m; ++b) {
              const int64_t weight = t ? ((g * c + a) * m + b) * taps + tap : ((g * m + b) * c + a) * taps + tap;
              y[static_cast<size_t>((i * k.m + g * m + b) * outputs + to)] +=
                  x[static_cast<size_t>((i * k.c + g * c + a) * inputs + from)] * w[static_cast<size_t>(weight)];
            }
    }
  return y;
}

void check(bool transposed) {
  constexpr DType kTypes[] = {DType::f32, DType::f16, DType::i8, DType::f64};
  for (int round = 0; round < 120; ++round) {
    Case k = random_case(transposed);
    const DType type = kTypes[static_cast<size_t>(round) % std::size(kTypes)];
    k.p.x = k.p.w = type;
    k.p.out = is_float(type) ? widened(type) : DType::i32;
    k.p.has_bias = pick(0, 1);
    Dims x_dims = {k.n, k.c}, w_dims = transposed ? Dims{k.c, k.m / k.p.groups} : Dims{k.m, k.c / k.p.groups}, y_dims = {k.n, k.m};
    x_dims.insert(x_dims.end(), k.in.begin(), k.in.end());
    w_dims.insert(w_dims.end(), k.kernel.begin(), k.kernel.end());
    y_dims.insert(y_dims.end(), k.out.begin(), k.out.end());
    std::vector<HostValue> in = {random_tensor(type, x_dims), random_tensor(type, w_dims)};
    if (k.p.has_bias) in.push_back(random_tensor(type, {k.m}));
    const auto want =
        plain(k, doubles_of(in[0].tensor), doubles_of(in[1].tensor), k.p.has_bias ? doubles_of(in[2].tensor) : std::vector<double>());
    expect_near(run_one(k.p, in), y_dims, want, 1e-5, engine::to_string(engine::Problem(k.p)));
  }
}

TEST(Conv, AgreesWithThePlainLoops) { check(false); }
TEST(ConvTranspose, AgreesWithThePlainLoops) { check(true); }

TEST(Conv, ChannelsLastIsAnOrderOfTheSameElements) {
  constexpr DType kTypes[] = {DType::f32, DType::f16, DType::f64};
  for (int round = 0; round < 120; ++round) {
    Case k = random_case(false);
    const DType type = kTypes[static_cast<size_t>(round) % std::size(kTypes)];
    k.p.x = k.p.w = k.p.out = type;
    k.p.has_bias = pick(0, 1);
    Dims x_dims = {k.n, k.c}, w_dims = {k.m, k.c / k.p.groups}, y_dims = {k.n, k.m};
    x_dims.insert(x_dims.end(), k.in.begin(), k.in.end());
    w_dims.insert(w_dims.end(), k.kernel.begin(), k.kernel.end());
    y_dims.insert(y_dims.end(), k.out.begin(), k.out.end());
    std::vector<HostValue> in = {random_tensor(type, x_dims), random_tensor(type, w_dims)};
    if (k.p.has_bias) in.push_back(random_tensor(type, {k.m}));
    const bool adds = pick(0, 1);
    if (adds) {
      k.p.epilogue.expr.results = {
          k.p.epilogue.expr.add(Fn::add, k.p.epilogue.expr.add_input(0, type), k.p.epilogue.expr.add_input(1, type))};
      k.p.epilogue.operands = {Shape(dims_of(y_dims))};
      in.push_back(random_tensor(type, y_dims));
    }
    const Tensor want = channels_last(run_one(k.p, in));
    for (HostValue& value : in)
      if (value.tensor.rank() > 1) value = channels_last(value.tensor);
    k.p.channels_last = true;
    if (adds) k.p.epilogue.operands = {Shape(dims_of(in.back().tensor.dims))};
    expect_near(run_one(k.p, in), want.dims, doubles_of(want), 0, engine::to_string(engine::Problem(k.p)));
  }
}

TEST(Conv, ManyColumnsAndDeepSums) {  // more than one block in every direction
  Case k{.in = {31, 29}, .kernel = {3, 3}, .out = {31, 29}, .pads = {1, 1}, .n = 1, .c = 40, .m = 100};
  k.p.strides = k.p.dilations = {1, 1};
  k.p.in_spatial = dims_of(k.in), k.p.out_spatial = dims_of(k.out), k.p.pads = dims_of(k.pads);
  const std::vector<HostValue> in = {random_tensor(DType::f32, {1, 40, 31, 29}), random_tensor(DType::f32, {100, 40, 3, 3})};
  expect_near(run_one(k.p, in), {1, 100, 31, 29}, plain(k, doubles_of(in[0].tensor), doubles_of(in[1].tensor), {}), 1e-5, "blocks");
}

TEST(Conv, SurvivesNonsense) {
  const std::vector<HostValue> in = {random_tensor(DType::f32, {1, 4, 5, 5}), random_tensor(DType::f32, {4, 4, 3, 3})};
  ConvProblem good;
  good.out_spatial = {Dim(3), Dim(3)}, good.pads = {Dim(0), Dim(0)}, good.strides = good.dilations = {1, 1};
  EXPECT_EQ(run_one(good, in).dims, (Dims{1, 4, 3, 3}));
  const auto refuse = [&](auto change) {
    ConvProblem p = good;
    change(p);
    HostValue out;
    EXPECT_FALSE(run(engine::Problem(p), in, std::span<HostValue>(&out, 1)).ok()) << engine::to_string(engine::Problem(p));
  };
  refuse([](ConvProblem& p) { p.strides = {0, 1}; });
  refuse([](ConvProblem& p) { p.dilations = {1, -1}; });
  refuse([](ConvProblem& p) { p.strides = {1}; });
  refuse([](ConvProblem& p) { p.strides = {INT64_MAX, 1}; });
  refuse([](ConvProblem& p) { p.pads = {Dim(int64_t{1} << 61), Dim(0)}; });
  refuse([](ConvProblem& p) { p.pads = {Dim::symbol("p"), Dim(0)}; });
  refuse([](ConvProblem& p) { p.transposed = p.channels_last = true; });
  refuse([](ConvProblem& p) { p.groups = 0; });
  refuse([](ConvProblem& p) { p.groups = 3; });
  refuse([](ConvProblem& p) { p.has_bias = true; });
  refuse([](ConvProblem& p) { p.out_spatial = {Dim(-1), Dim(3)}; });
  refuse([](ConvProblem& p) { p.out_spatial = {Dim(int64_t{1} << 50), Dim(int64_t{1} << 50)}; });
  refuse([](ConvProblem& p) { p.out_spatial = {Dim::symbol("h"), Dim(3)}; });
}

}  // namespace
}  // namespace tenon::reference
