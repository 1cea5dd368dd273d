#include "reference/test_values.h"

namespace tenon::reference {
namespace {

using engine::GemmProblem;

constexpr DType kTypes[] = {DType::f32, DType::f64, DType::f16, DType::bf16, DType::i32, DType::u8, DType::i8};

TEST(Gemm, AgreesWithThePlainLoops) {
  for (int round = 0; round < 150; ++round) {
    const DType type = kTypes[static_cast<size_t>(round) % std::size(kTypes)];
    const int64_t m = pick(0, 20), n = pick(0, 40), k = round % 10 == 0 ? pick(250, 600) : pick(0, 30);
    GemmProblem p{.a = type, .b = type, .out = is_float(type) ? DType::f32 : DType::i32, .m = m, .n = n, .k = k};
    if (type == DType::f64) p.out = DType::f64;
    Dims batch, a_dims, b_dims;
    for (int64_t d = pick(0, 2); d > 0; --d) {
      batch.push_back(pick(1, 3));
      a_dims.push_back(pick(0, 1) ? batch.back() : 1);
      b_dims.push_back(a_dims.back() == batch.back() && pick(0, 1) ? 1 : batch.back());
    }
    p.batch = dims_of(batch), p.a_batch = dims_of(a_dims), p.b_batch = dims_of(b_dims);
    p.trans_a = pick(0, 1), p.trans_b = pick(0, 1);
    const Dims a_lead = a_dims, b_lead = b_dims;
    for (const int64_t d : p.trans_a ? Dims{k, m} : Dims{m, k}) a_dims.push_back(d);
    for (const int64_t d : p.trans_b ? Dims{n, k} : Dims{k, n}) b_dims.push_back(d);
    const Tensor a = random_tensor(type, a_dims), b = random_tensor(type, b_dims);
    const std::vector<double> x = doubles_of(a), y = doubles_of(b);
    std::vector<double> want;
    const Dims steps = strides_of(batch), a_steps = strides_of(a_lead), b_steps = strides_of(b_lead);
    for (int64_t i = 0; i < elems_of(batch); ++i) {
      int64_t at_a = 0, at_b = 0;
      for (size_t d = 0; d < batch.size(); ++d) {
        at_a += a_lead[d] == 1 ? 0 : i / steps[d] % batch[d] * a_steps[d];
        at_b += b_lead[d] == 1 ? 0 : i / steps[d] % batch[d] * b_steps[d];
      }
      for (int64_t r = 0; r < m; ++r)
        for (int64_t c = 0; c < n; ++c) {
          double sum = 0;
          for (int64_t q = 0; q < k; ++q)
            sum += x[static_cast<size_t>(at_a * m * k + (p.trans_a ? q * m + r : r * k + q))] *
                   y[static_cast<size_t>(at_b * k * n + (p.trans_b ? c * k + q : q * n + c))];
          want.push_back(sum);
        }
    }
    Dims dims = batch;
    dims.push_back(m), dims.push_back(n);
    expect_near(run_one(p, {a, b}), dims, want, 1e-6, engine::to_string(engine::Problem(p)));
    GemmProblem open = p;  // not bound: the tensors show the dims
    open.m = Dim::symbol("m"), open.n = Dim::symbol("n"), open.k = Dim::symbol("k");
    expect_near(run_one(open, {a, b}), dims, want, 1e-6, "open");
  }
}

TEST(Gemm, EpilogueSeesTheUnroundedSum) {
  GemmProblem p{.a = DType::f16, .b = DType::f16, .out = DType::f16, .m = 2, .n = 3, .k = 4};
  p.epilogue.expr = *from_text<Expr>("{t0 = add(x0:f16, x1:f16); relu(t0), cast(t0):i8}");
  p.epilogue.operands = {Shape{3}};
  const Tensor a = random_tensor(DType::f16, {2, 4}), b = random_tensor(DType::f16, {4, 3}), bias = random_tensor(DType::f16, {3});
  const std::vector<HostValue> in = {a, b, bias};
  std::vector<HostValue> out(2);
  const auto status = run(engine::Problem(p), in, out);
  ASSERT_TRUE(status.ok()) << status.error().message();
  p.epilogue = {};
  const std::vector<double> plain = doubles_of(run_one(p, {a, b})), add = doubles_of(bias);
  for (size_t i = 0; i < 6; ++i) {
    EXPECT_EQ(doubles_of(out[0].tensor)[i], std::max(0.0, plain[i] + add[i % 3]));
    EXPECT_EQ(doubles_of(out[1].tensor)[i], std::trunc(plain[i] + add[i % 3]));
  }
}

TEST(Gemm, KeepsTheCallersMemoryAndItsDims) {
  const GemmProblem p{.m = 2, .n = 3, .k = 4};
  HostValue out(*Tensor::allocate(DType::f32, {2, 1, 3}));
  const std::byte* memory = out.tensor.data;
  const std::vector<HostValue> in = {random_tensor(DType::f32, {2, 4}), random_tensor(DType::f32, {4, 3})};
  ASSERT_TRUE(run(engine::Problem(p), in, std::span<HostValue>(&out, 1)).ok());
  EXPECT_EQ(out.tensor.data, memory);
  HostValue wrong(*Tensor::allocate(DType::f32, {7}));
  EXPECT_FALSE(run(engine::Problem(p), in, std::span<HostValue>(&wrong, 1)).ok());
}

TEST(Gemm, RefusesOperandsThatDoNotFit) {
  const Tensor a = random_tensor(DType::f32, {2, 4}), b = random_tensor(DType::f32, {4, 3});
  for (const GemmProblem& p :
       {GemmProblem{.m = 3, .n = 3, .k = 4}, GemmProblem{.m = 2, .n = 3, .k = 400}, GemmProblem{.m = -2, .n = 3, .k = -4},
        GemmProblem{.m = 2, .n = 3, .k = 4, .batch = {Dim(5)}, .a_batch = {Dim(1)}, .b_batch = {Dim(3)}},
        GemmProblem{.m = int64_t{1} << 61, .n = 3, .k = int64_t{1} << 61}}) {
    HostValue out;
    const std::vector<HostValue> in = {a, b}, few = {a}, absent(2);
    EXPECT_FALSE(run(engine::Problem(p), in, std::span<HostValue>(&out, 1)).ok()) << engine::to_string(engine::Problem(p));
    EXPECT_FALSE(run(engine::Problem(p), few, std::span<HostValue>(&out, 1)).ok());
    EXPECT_FALSE(run(engine::Problem(p), absent, std::span<HostValue>(&out, 1)).ok());
    EXPECT_FALSE(run(engine::Problem(p), in, std::span<HostValue>()).ok());
  }
}

}  // namespace
}  // namespace tenon::reference
