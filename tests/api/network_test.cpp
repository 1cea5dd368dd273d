// The public C++ API: networks by hand, building, running. Knows the public headers only.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <tenon/build.h>

#include <cmath>
#include <numeric>

namespace {

using tenon::DType;
using Floats = std::vector<float>;

tenon::Weights weights(const Floats& values, std::vector<int64_t> dims) {
  return tenon::Weights::of(std::span<const float>(values), std::move(dims));
}

template <class T>
T take(tenon::Result<T> result) {
  if (!result) throw std::runtime_error(result.error().message);
  return *std::move(result);
}
void expect(const tenon::Status& status) { EXPECT_TRUE(status.ok()) << (status ? "" : status.error().message); }

/// Builds the network, whose output is "y", and runs it on "x".
Floats run(const tenon::Network& network, const Floats& x, std::vector<int64_t> dims, std::vector<int64_t>* out_dims = nullptr) {
  const tenon::HostMemory file = take(tenon::Builder().build(network));
  tenon::ExecutionContext context = take(take(tenon::Runtime().deserialize(file)).create_context());
  expect(context.set_input("x", std::span<const float>(x), dims));
  expect(context.run());
  const tenon::TensorView y = take(context.output("y"));
  if (out_dims) out_dims->assign(y.dims.begin(), y.dims.end());
  return {y.as<float>().begin(), y.as<float>().end()};
}

TEST(Network, ConvolutionActivationPooling) {
  tenon::Network network;
  const tenon::Tensor x = take(network.add_input("x", DType::f32, {"n", 1, 4, 4}));
  const tenon::Tensor w = take(network.add_constant(weights({1, 1, 1, 1}, {1, 1, 2, 2}), "w"));
  const tenon::Tensor b = take(network.add_constant(weights({-40}, {1}), "b"));
  const tenon::Tensor conv = take(network.add_convolution(x, w, b, {.pads = {0, 0, 1, 1}}, "conv"));
  const tenon::Tensor relu = take(network.add_activation(conv, {.type = tenon::ActivationType::relu}));
  const tenon::Tensor pool = take(network.add_pooling(relu, {.type = tenon::PoolingType::max, .kernel = {2, 2}, .strides = {2, 2}}));
  expect(network.mark_output(pool, "y"));
  EXPECT_EQ(network.layer_count(), 3);
  EXPECT_EQ(take(network.info(conv)).type, "f32[n, 1, 4, 4]");
  EXPECT_EQ(network.outputs()[0].dim_texts, (std::vector<std::string>{"n", "1", "2", "2"}));

  Floats image(16);
  std::iota(image.begin(), image.end(), 0.0F);
  std::vector<int64_t> dims;
  EXPECT_EQ(run(network, image, {1, 1, 4, 4}, &dims), (Floats{0, 0, 6, 10}));
  EXPECT_EQ(dims, (std::vector<int64_t>{1, 1, 2, 2}));
}

TEST(Network, MatrixMultiplySoftmaxShuffle) {
  tenon::Network network;
  const tenon::Tensor x = take(network.add_input("x", DType::f32, {-1, 2}));
  const tenon::Tensor w = take(network.add_constant(weights({1, 0, 0, 1, 1, 1}, {3, 2})));
  const tenon::Tensor product = take(network.add_matrix_multiply(x, w, {.transpose_b = true}));
  const tenon::Tensor softmax = take(network.add_softmax(product));
  const tenon::Tensor shuffled = take(network.add_shuffle(softmax, {.first_transpose = {1, 0}, .reshape = {{1, -1}}}));
  expect(network.mark_output(shuffled, "y"));
  std::vector<int64_t> dims;
  const Floats y = run(network, {1, 2, 0, 0}, {2, 2}, &dims);
  EXPECT_EQ(dims, (std::vector<int64_t>{1, 6}));
  const float sum = std::exp(1.F) + std::exp(2.F) + std::exp(3.F);
  const Floats wanted{std::exp(1.F) / sum, 1.F / 3, std::exp(2.F) / sum, 1.F / 3, std::exp(3.F) / sum, 1.F / 3};
  for (size_t i = 0; i < 6; ++i) EXPECT_NEAR(y[i], wanted[i], 1e-6) << i;
}

TEST(Network, ElementwiseUnaryReduceConcatenation) {
  tenon::Network network;
  const tenon::Tensor x = take(network.add_input("x", DType::f32, {2, 2}));
  const tenon::Tensor two = take(network.add_constant(weights({2}, {})));
  const tenon::Tensor scaled = take(network.add_elementwise(x, two, tenon::ElementWiseOperation::prod));
  const tenon::Tensor negative = take(network.add_unary(scaled, tenon::UnaryOperation::neg));
  const tenon::Tensor both[] = {scaled, negative};
  const tenon::Tensor joined = take(network.add_concatenation(both, 1));
  expect(network.mark_output(take(network.add_reduce(joined, {.operation = tenon::ReduceOperation::max, .axes = {0}, .keep_dims = false})),
                             "y"));
  EXPECT_EQ(run(network, {1, 2, 3, 4}, {2, 2}), (Floats{6, 8, -2, -4}));
}

TEST(Network, EveryActivationBuilds) {
  for (int type = 0; type <= static_cast<int>(tenon::ActivationType::clip); ++type) {
    tenon::Network network;
    const tenon::Tensor x = take(network.add_input("x", DType::f32, {3}));
    expect(network.mark_output(take(network.add_activation(x, {.type = static_cast<tenon::ActivationType>(type)})), "y"));
    for (const float value : run(network, {-1, 0, 1}, {3})) EXPECT_TRUE(std::isfinite(value)) << type;
  }
}

TEST(Network, ErrorsSayWhichLayerAndWhy) {
  tenon::Network network, other;
  const tenon::Tensor x = take(network.add_input("x", DType::f32, {"n", 3, 8, 8}));
  const tenon::Tensor w = take(network.add_constant(weights(Floats(2 * 4 * 9), {2, 4, 3, 3}), "w"));
  const auto error_of = [](const auto& result) { return result.ok() ? std::string() : result.error().message; };

  const auto conv = network.add_convolution(x, w, std::nullopt, {}, "stem");
  EXPECT_THAT(error_of(conv), testing::HasSubstr("convolution 'stem'"));
  EXPECT_EQ(network.layer_count(), 0);
  EXPECT_THAT(error_of(network.add_softmax({})), testing::HasSubstr("a tensor is empty"));
  EXPECT_THAT(error_of(other.add_softmax(x)), testing::HasSubstr("belongs to another network"));
  EXPECT_THAT(error_of(network.add_input("x", DType::f32, {1})), testing::HasSubstr("an input 'x' already"));
  EXPECT_THAT(error_of(network.add_input("z", DType::f32, {-2})), testing::HasSubstr("dim 0 is -2"));
  EXPECT_THAT(error_of(network.add_constant(weights({1, 2, 3}, {2}))), testing::HasSubstr("take 8 bytes, got 12"));
  EXPECT_THAT(error_of(network.add_pooling(x, {})), testing::HasSubstr("kernel"));
  EXPECT_THAT(error_of(network.find("nothing")), testing::HasSubstr("no tensor 'nothing'"));
  EXPECT_THAT(error_of(tenon::Builder().build(network)), testing::HasSubstr("no outputs"));
  expect(network.mark_output(x, "y"));
  EXPECT_THAT(error_of(network.mark_output(w, "y")), testing::HasSubstr("an output 'y' already"));
  EXPECT_THAT(error_of(tenon::Builder().build(network, {.targets = {"abacus"}})), testing::HasSubstr("abacus"));
  const auto expecting = [&](std::string name, std::vector<int64_t> dims) {
    return error_of(tenon::Builder().build(network, {.opt_dims = {{std::move(name), std::move(dims)}}}));
  };
  EXPECT_EQ(expecting("x", {64, 3, 8, 8}), "");
  EXPECT_THAT(expecting("z", {1}), testing::HasSubstr("'z', which is no input"));
  EXPECT_THAT(expecting("x", {64, 4, 8, 8}), testing::HasSubstr("dim 1 is expected to be 4"));
  EXPECT_THAT(expecting("x", {-1, 3, 8, 8}), testing::HasSubstr("dim 0 is expected to be -1"));
  EXPECT_THAT(expecting("x", {64, 3}), testing::HasSubstr("2 sizes are expected of it"));
}

TEST(Network, ProgressCancels) {
  tenon::Network network;
  expect(network.mark_output(take(network.add_input("x", DType::f32, {1})), "y"));
  const auto built = tenon::Builder().build(network, {.progress = [](std::string_view, double) { return false; }});
  ASSERT_FALSE(built.ok());
  EXPECT_EQ(built.error().kind, tenon::ErrorKind::cancelled);
}

TEST(OnnxParser, ReadsTheDigitsOnce) {
  tenon::Network network;
  tenon::OnnxParser parser(network, {.input_dims = {{"image", {1, 1, 28, 28}}}});
  expect(parser.parse_file(TENON_SOURCE_DIR "/samples/digits/digits.onnx"));
  EXPECT_EQ(network.inputs()[0].type, "f32[1, 1, 28, 28]");
  EXPECT_EQ(network.outputs()[0].name, "logits");
  EXPECT_FALSE(parser.parse_file(TENON_SOURCE_DIR "/samples/digits/digits.onnx").ok());
  EXPECT_EQ(parser.errors().size(), 1U);
  EXPECT_FALSE(tenon::OnnxParser(network).parse_file("nowhere.onnx").ok());
}

}  // namespace
