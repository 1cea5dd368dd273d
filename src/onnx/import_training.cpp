// ai.onnx.preview.training: one step of an optimiser. Inputs: rate, update count, then all x, all gradients, all states of each kind;
// outputs: all x, all states.
#include <cmath>

#include "onnx/node_import.h"

namespace tenon::onnx {
namespace {

/// How many tensors are optimised, with `each` inputs for one.
size_t tensor_count(NodeImport& n, size_t each) {
  if (n.input_count() < 2 + each || (n.input_count() - 2) % each != 0)
    n.refuse("wants 2 + {} inputs a tensor, got {}", each, n.input_count());
  return n.failed() ? 0 : (n.input_count() - 2) / each;
}

}  // namespace

Result<Values> import_momentum(NodeImport& n) {
  const double alpha = n.float_attr("alpha", 0), beta = n.float_attr("beta", 0), decay = n.float_attr("norm_coefficient", 0);
  const std::string mode = n.string_attr("mode", "standard");
  if (mode != "standard" && mode != "nesterov") n.refuse("attribute 'mode' is '{}', wanted standard or nesterov", mode);
  const size_t count = tensor_count(n, 3);
  const ValueId rate = n.required(0, "R"), updates = n.required(1, "T");
  Values out(2 * count);
  for (size_t i = 0; i < count; ++i) {
    const ValueId x = n.required(2 + i, "X"), gradient = n.required(2 + count + i, "G"), momentum = n.required(2 + 2 * count + i, "V");
    const ValueId slope = n.pointwise({gradient, x}, [&](const std::vector<Term>& t) { return t[1] * decay + t[0]; });
    out[count + i] = n.pointwise({momentum, slope, updates}, [&](const std::vector<Term>& t) {
      return t[0] * alpha + t[1] * where(t[2] > 0, t[1].constant(beta), t[1].constant(1));
    });
    out[i] = n.pointwise({x, out[count + i], slope, rate},
                         [&](const std::vector<Term>& t) { return t[0] - t[3] * (mode == "nesterov" ? t[2] + t[1] * alpha : t[1]); });
  }
  return out;
}

Result<Values> import_adagrad(NodeImport& n) {
  const double decay = n.float_attr("norm_coefficient", 0), slower = n.float_attr("decay_factor", 0),
               epsilon = n.float_attr("epsilon", 1e-6f);
  const size_t count = tensor_count(n, 3);
  const ValueId rate = n.required(0, "R"), updates = n.required(1, "T");
  Values out(2 * count);
  for (size_t i = 0; i < count; ++i) {
    const ValueId x = n.required(2 + i, "X"), gradient = n.required(2 + count + i, "G"), squares = n.required(2 + 2 * count + i, "H");
    const ValueId slope = n.pointwise({gradient, x}, [&](const std::vector<Term>& t) { return t[1] * decay + t[0]; });
    out[count + i] = n.pointwise({squares, slope}, [](const std::vector<Term>& t) { return t[0] + t[1] * t[1]; });
    out[i] = n.pointwise({x, slope, out[count + i], rate, updates}, [&](const std::vector<Term>& t) {
      const DType type = t[0].type();
      return t[0] - t[3].cast(type) / (t[4].cast(type) * slower + 1) * t[1] / (apply(Fn::sqrt, t[2]) + epsilon);
    });
  }
  return out;
}

Result<Values> import_adam(NodeImport& n) {
  const double alpha = n.float_attr("alpha", 0.9f), beta = n.float_attr("beta", 0.999f), epsilon = n.float_attr("epsilon", 1e-6f);
  const double decay = n.float_attr("norm_coefficient", 0), after = n.float_attr("norm_coefficient_post", 0);
  const size_t count = tensor_count(n, 4);
  const ValueId rate = n.required(0, "R"), updates = n.required(1, "T");
  // R sqrt(1 - beta^T) / (1 - alpha^T) from the first update on.
  const ValueId adjusted = n.pointwise({rate, updates}, [&](const std::vector<Term>& t) {
    const auto power = [&](double base) { return apply(Fn::pow, t[0].constant(base), t[1].cast(t[0].type())); };
    const Term factor = apply(Fn::sqrt, t[0].constant(1) - power(beta)) / (t[0].constant(1) - power(alpha));
    return where(t[1] > 0, t[0] * factor, t[0]);
  });
  Values out(3 * count);
  for (size_t i = 0; i < count; ++i) {
    const ValueId x = n.required(2 + i, "X"), gradient = n.required(2 + count + i, "G");
    const ValueId mean = n.required(2 + 2 * count + i, "V"), squares = n.required(2 + 3 * count + i, "H");
    const ValueId slope = n.pointwise({gradient, x}, [&](const std::vector<Term>& t) { return t[1] * decay + t[0]; });
    out[count + i] = n.pointwise({mean, slope}, [&](const std::vector<Term>& t) { return t[0] * alpha + t[1] * (1 - alpha); });
    out[2 * count + i] = n.pointwise({squares, slope}, [&](const std::vector<Term>& t) { return t[0] * beta + t[1] * t[1] * (1 - beta); });
    out[i] = n.pointwise({x, out[count + i], out[2 * count + i], adjusted}, [&](const std::vector<Term>& t) {
      return (t[0] - t[3].cast(t[0].type()) * t[1] / (apply(Fn::sqrt, t[2]) + epsilon)) * (1 - after);
    });
  }
  return out;
}

Result<Values> import_gradient(NodeImport& n) {
  n.unsupported("differentiates a graph, which only a trainer does: export the model for inference");
  return Values{};
}

}  // namespace tenon::onnx
