// tenon/build.h: from a network to an engine file. Links against libtenon; what it builds runs with run.h alone.
//
//   tenon::Network network;
//   tenon::OnnxParser parser(network);
//   if (auto parsed = parser.parse_file("digits.onnx"); !parsed) return report(parsed.error().message);
//   tenon::Builder builder;
//   auto file = builder.build(network, {.targets = {"cpu"}});
//   auto engine = tenon::Runtime().deserialize(*file);
//
// A network can also be written by hand; every add_ function checks its arguments, infers the result's type and shape, and returns
// the result. Layers follow ONNX's definitions: dims are [N, C, spatial...], axes may count from the end, elementwise layers broadcast.
// Network belongs to one thread at a time; Builder may build different networks in different threads.
#pragma once
#include <map>
#include <optional>

#include "tenon/run.h"

namespace tenon {
inline namespace v1 {

/// A dimension as a network declares it: a number, -1 for one that is known only when the model runs, or a name; dims of one name
/// have one size.
struct Dim {
  Dim(int64_t number) : size(number) {}
  Dim(int number) : size(number) {}
  Dim(const char* symbol) : name(symbol) {}
  Dim(std::string symbol) : name(std::move(symbol)) {}
  int64_t size = -1;
  std::string name;
};
using Shape = std::vector<Dim>;

/// A tensor of a network: what an input, a constant or a layer gives. A small value; it means something to its network alone.
class Tensor {
 public:
  Tensor() = default;

 private:
  friend struct NetworkImpl;
  const void* network_ = nullptr;
  int64_t id_ = -1;
};

/// Elements of a constant: dense, row-major; copied by the function that takes them.
struct Weights {
  DType dtype = DType::f32;
  std::vector<int64_t> dims = {};
  const void* data = nullptr;
  size_t bytes = 0;

  template <class T>
  static Weights of(std::span<const T> elems, std::vector<int64_t> dims) {
    static_assert(dtype_of<T> != DType::none, "this C++ type is no element type: fill the struct");
    return {dtype_of<T>, std::move(dims), elems.data(), elems.size_bytes()};
  }
};

/// Windows of convolutions and pooling, one entry per spatial dim. Empty strides and dilations: ones. Pads: the begins of all
/// spatial dims, then the ends; empty: none.
struct ConvolutionParams {
  std::vector<int64_t> strides = {}, pads = {}, dilations = {};
  int64_t groups = 1;
};
enum class PoolingType : uint8_t { max, average };
struct PoolingParams {
  PoolingType type = PoolingType::max;
  std::vector<int64_t> kernel = {}, strides = {}, pads = {};
  bool ceil_mode = false;          // a window that begins inside counts even if it ends outside
  bool count_include_pad = false;  // average: padding counts in the divisor
};
enum class ActivationType : uint8_t {
  relu,
  sigmoid,
  tanh,
  leaky_relu,
  elu,
  selu,
  softplus,
  softsign,
  hard_sigmoid,
  hard_swish,
  silu,
  gelu,
  clip
};
/// leaky_relu, elu: alpha. selu, hard_sigmoid: alpha, beta (selu's beta is its gamma). clip: to [alpha, beta]. Unset: ONNX's defaults.
struct ActivationParams {
  ActivationType type = ActivationType::relu;
  std::optional<double> alpha = {}, beta = {};
};
enum class UnaryOperation : uint8_t { exp, log, sqrt, reciprocal, abs, neg, floor, ceil, round, sign, sin, cos, erf, logical_not };
enum class ElementWiseOperation : uint8_t {
  sum,
  prod,
  sub,
  div,
  pow,
  min,
  max,
  equal,
  less,
  greater,
  logical_and,
  logical_or,
  logical_xor
};
enum class ReduceOperation : uint8_t { sum, mean, max, min, prod };
struct ReduceParams {
  ReduceOperation operation = ReduceOperation::sum;
  std::vector<int64_t> axes = {};  // empty: all
  bool keep_dims = true;
};
struct MatrixMultiplyParams {
  bool transpose_a = false, transpose_b = false;  // the last two dims are stored the other way round
};
/// transpose (a permutation of the dims), then reshape (0: as before, one -1: what is left), then transpose again; unset parts do nothing.
struct ShuffleParams {
  std::vector<int64_t> first_transpose = {};
  std::optional<std::vector<int64_t>> reshape = {};
  std::vector<int64_t> second_transpose = {};
};

/// What is to be computed. Movable. `name`s are for people and for errors; an empty one is made up.
class Network {
 public:
  Network();
  ~Network();
  Network(Network&& other) noexcept;
  Network& operator=(Network&& other) noexcept;

  Result<Tensor> add_input(std::string_view name, DType dtype, Shape shape);
  /// A float constant with a name and dims can be replaced by refit once the engine exists; others are fixed.
  Result<Tensor> add_constant(const Weights& weights, std::string_view name = {});

  /// x [N, C, spatial...], weights [M, C / groups, kernel...], bias [M] → [N, M, spatial...].
  Result<Tensor> add_convolution(Tensor x, Tensor weights, std::optional<Tensor> bias, const ConvolutionParams& params,
                                 std::string_view name = {});
  /// x [N, C, spatial...] → [N, C, spatial...].
  Result<Tensor> add_pooling(Tensor x, const PoolingParams& params, std::string_view name = {});
  Result<Tensor> add_activation(Tensor x, const ActivationParams& params, std::string_view name = {});
  Result<Tensor> add_unary(Tensor x, UnaryOperation operation, std::string_view name = {});
  /// Operands of one type, broadcast together; comparisons give bool.
  Result<Tensor> add_elementwise(Tensor a, Tensor b, ElementWiseOperation operation, std::string_view name = {});
  /// As numpy.matmul: [..., m, k] · [..., k, n] → [..., m, n].
  Result<Tensor> add_matrix_multiply(Tensor a, Tensor b, const MatrixMultiplyParams& params = {}, std::string_view name = {});
  Result<Tensor> add_shuffle(Tensor x, const ShuffleParams& params, std::string_view name = {});
  Result<Tensor> add_softmax(Tensor x, int64_t axis = -1, std::string_view name = {});
  Result<Tensor> add_reduce(Tensor x, const ReduceParams& params, std::string_view name = {});
  Result<Tensor> add_concatenation(std::span<const Tensor> tensors, int64_t axis, std::string_view name = {});

  /// Makes a tensor an output of the engine. Errors: a name that an output has already.
  Status mark_output(Tensor tensor, std::string_view name);
  /// The tensor of that name: of an input, an output, or inside a parsed model.
  Result<Tensor> find(std::string_view name) const;
  /// Type and shape, as far as they are known.
  Result<TensorInfo> info(Tensor tensor) const;
  std::vector<TensorInfo> inputs() const;
  std::vector<TensorInfo> outputs() const;
  int64_t layer_count() const;

 private:
  friend class Builder;
  friend class OnnxParser;
  std::unique_ptr<struct NetworkImpl> impl_;
};

struct ParseOptions {
  /// Dims of inputs, in place of what the file says.
  std::map<std::string, std::vector<int64_t>, std::less<>> input_dims = {};
  Logger logger = {};
};

/// Fills an empty network from ONNX.
class OnnxParser {
 public:
  /// `network` must outlive the parser.
  explicit OnnxParser(Network& network, ParseOptions options = {}) : network_(network), options_(std::move(options)) {}
  /// External data is looked for beside the file. Errors: the file cannot be read; all that is wrong with the model, one a line.
  Status parse_file(const std::string& path);
  /// The same from bytes, which are copied. External data is looked for in `folder`.
  Status parse(std::span<const std::byte> bytes, const std::string& folder = ".");
  /// What was wrong with the model, one entry for each node.
  const std::vector<std::string>& errors() const { return errors_; }

 private:
  Status fill(const struct OnnxSource& source);
  Network& network_;
  ParseOptions options_;
  std::vector<std::string> errors_;
};

/// What FP32 values inside the network are stored and multiplied as; sums are FP32 in all of them, inputs and outputs keep their types.
enum class Precision : uint8_t {
  fp32,
  strict_fp32,  // without transforms that change rounding, such as Winograd's
  tf32,         // products and convolutions may round their operands to 10 bits of mantissa
  fp16,
  bf16
};

/// How to build.
struct BuilderConfig {
  /// Plans to make, best first: "cpu", "cuda" or "cuda:1" (this machine's GPU), or a GPU's architecture such as "sm_90", for which no GPU
  /// need be there. The portable plan, which any CPU runs, is always there too.
  std::vector<std::string> targets = {"cpu"};
  /// Dims of inputs, by name, that a GPU's kernels are chosen and measured for, where the network leaves sizes open; a size that is not
  /// listed counts as 32. Other sizes run all the same.
  std::map<std::string, std::vector<int64_t>, std::less<>> opt_dims = {};
  /// Of all plans but the portable one, which stays as the model is.
  Precision precision = Precision::fp32;
  /// An error, not a warning, where steps of a GPU's plan would run on the host.
  bool strict = false;
  /// Whether kernels are measured on this machine's GPU where a target is for it.
  bool tune = true;
  /// File of kernel timings to choose by; what the build measures is added. Empty: one in the user's cache folder where there is a GPU to
  /// measure on.
  std::string timing_cache = {};
  std::vector<std::string> disabled_passes = {};  // of those that make a network faster, by name
  /// Called with the stage and the share of the work that is done, 0 to 1. Returning false cancels the build.
  std::function<bool(std::string_view stage, double share)> progress = {};
};

/// Builds engines. The network may be changed and built again.
class Builder {
 public:
  explicit Builder(Logger logger = {}) : logger_(std::move(logger)) {}
  /// The engine's file. The bytes are a function of network and config. Errors: a network without outputs, an unknown target,
  /// cancelled, what a pass or a backend says.
  Result<HostMemory> build(const Network& network, const BuilderConfig& config = {}) const;

 private:
  Logger logger_;
};

/// Version of libtenon, "major.minor.patch".
std::string build_version();

}  // namespace v1
}  // namespace tenon
