// Steps of recurrent layers: one resident grid for all steps (kernels/recurrent.cuh). Here: sizes, and the cell as text.
#include <algorithm>

#include "backends/cuda/kernels/texts.h"
#include "backends/cuda/tactics/conv_common.h"
#include "backends/cuda/tactics/expr_text.h"
#include "backends/cuda/tactics/product_text.h"
#include "backends/cuda/tactics/tactics.h"

namespace tenon::cuda {
namespace {

using engine::ActivationKind;
using engine::CellKind;
using engine::RecurrentProblem;

constexpr int64_t kFewestUnits = 4, kMostUnits = 32;  // of a block, a warp each
constexpr int64_t kMostRows = 8;                      // batch rows at a time
constexpr int64_t kOtherRegisters = 72;               // of a thread, beside R and the sums

/// What a block may use, also of a device that nothing is known of.
int64_t shared_of(const engine::DeviceFacts& device) { return device.shared_bytes > 0 ? device.shared_bytes : 48 << 10; }
int64_t registers_of(const engine::DeviceFacts& device) { return device.unit_registers > 0 ? device.unit_registers : 65536; }

/// How the grid shares the layer.
struct Spread {
  int64_t hidden = 0, gates = 0, units = 0, blocks = 0, rows = 0, vectors = 0;
  bool in_registers = false, in_shared = false;
  int64_t threads() const { return units * 32; }
  int64_t pitch() const { return vectors * 128; }
  int64_t words() const { return (hidden + 1) / 2 * 2; }
  int64_t state_bytes() const { return 2 * rows * pitch() * 4; }
  int64_t shared_row() const { return (hidden + 7) / 8 * 8; }
};

Spread spread_of(const RecurrentProblem& p, const engine::DeviceFacts& device) {
  Spread s{.hidden = *p.hidden.constant(), .gates = engine::gates_of(p.kind)};
  const int64_t most_blocks = std::max<int64_t>(1, device.units / p.directions);
  s.units = std::max(kFewestUnits, (s.hidden + most_blocks - 1) / most_blocks);
  s.blocks = (s.hidden + s.units - 1) / s.units;
  s.vectors = (s.hidden + 127) / 128;
  const int64_t shared = shared_of(device);
  const auto batch = p.batch.constant();
  s.rows = 1;
  while (s.rows < kMostRows && s.rows < batch.value_or(kMostRows)) s.rows *= 2;
  const int64_t registers = std::min<int64_t>(255, registers_of(device) / s.threads() / 8 * 8);
  while (s.rows > 1 && (s.state_bytes() > shared || s.rows * 4 + kOtherRegisters > registers)) s.rows /= 2;
  const int64_t held = 4 * s.vectors * s.gates, sums = s.rows * (s.gates == 3 ? 4 : s.gates);
  s.in_registers = held + sums + kOtherRegisters <= registers;
  s.in_shared = !s.in_registers && s.state_bytes() + s.units * s.gates * s.shared_row() * (bits_of(p.type) / 8) <= shared;
  return s;
}

engine::Verdict supports_recurrent(const engine::Problem& problem, const engine::DeviceFacts& device) {
  const auto* p = problem.as<RecurrentProblem>();
  if (!p) return engine::no(kOtherKind);
  if (p->type != DType::f32 && !is_16_bit_float(p->type)) return engine::no("wants floats of 16 or 32 bits");
  if (!p->hidden.constant() || *p->hidden.constant() < 1) return engine::no("wants a hidden size that is a number");
  if (p->directions < 1 || p->directions > 2) return engine::no("wants one or two directions");
  if (p->activations.size() != engine::activations_of(p->kind) * static_cast<size_t>(p->directions))
    return engine::no("lacks an activation");
  const Spread s = spread_of(*p, device);
  if (s.units > kMostUnits || s.blocks * p->directions > device.units)
    return engine::no("has more hidden units than the device's blocks hold at once");
  if (s.state_bytes() > shared_of(device)) return engine::no("a state is larger than shared memory");
  return {};
}

std::string activation_text(const engine::Activation& f, std::string_view x) {
  const std::string a = strf("float({})", f.alpha), b = strf("float({})", f.beta);
  switch (f.kind) {
    case ActivationKind::sigmoid: return strf("fn::sigmoid({})", x);
    case ActivationKind::tanh: return strf("tanhf({})", x);
    case ActivationKind::relu: return strf("{0} > 0 ? {0} : 0.0f", x);
    case ActivationKind::affine: return strf("{} * {} + {}", a, x, b);
    case ActivationKind::leaky_relu: return strf("{1} >= 0 ? {1} : {0} * {1}", a, x);
    case ActivationKind::thresholded_relu: return strf("{1} >= {0} ? {1} : 0.0f", a, x);
    case ActivationKind::scaled_tanh: return strf("{} * tanhf({} * {})", a, b, x);
    case ActivationKind::hard_sigmoid: return strf("fminf(fmaxf({} * {} + {}, 0.0f), 1.0f)", a, x, b);
    case ActivationKind::elu: return strf("{1} >= 0 ? {1} : {0} * (expf({1}) - 1)", a, x);
    case ActivationKind::softsign: return strf("{0} / (1 + fabsf({0}))", x);
    case ActivationKind::softplus: return strf("fn::softplus({})", x);
  }
  return std::string(x);
}

class ConfigText {
 public:
  ConfigText(KernelWriter& w, const RecurrentProblem& p, const Spread& s, size_t outputs) : w_(w), p_(p), s_(s), outputs_(outputs) {
    size_t next = 2;
    for (const auto& [there, at] : {std::pair(p.has_bias, &bias_), std::pair(p.has_lengths, &lengths_), std::pair(p.has_h, &h_),
                                    std::pair(p.has_c, &c_), std::pair(p.has_peepholes, &peepholes_)})
      if (there) *at = next++;
  }

  std::string text() {
    const bool lstm = p_.kind == CellKind::lstm;
    out_ = strf("struct Config {{\n  typedef {} T;\n  enum : int {{ H = {}, GATES = {}, UNITS = {}, BLOCKS = {}, THREADS = {} }};\n",
                storage_type(p_.type), s_.hidden, s_.gates, s_.units, s_.blocks, s_.threads());
    out_ +=
        strf("  enum : int {{ VECTORS = {}, PITCH = {}, WORDS = {}, MOST_ROWS = {}, ROWS_AT = {}, SHARED_ROW = {}, EXCHANGES = {} }};\n",
             s_.vectors, s_.pitch(), s_.words(), s_.rows, s_.state_bytes(), s_.shared_row(),
             p_.kind == CellKind::gru && !p_.linear_before_reset ? 2 : 1);
    out_ += strf("  static constexpr bool IN_REGISTERS = {}, IN_SHARED = {}, HAS_CELL = {};\n", s_.in_registers, s_.in_shared, lstm);
    function("int batch(const Args& p)", int_size(w_, p_.batch));
    function("int seq(const Args& p)", int_size(w_, p_.seq));
    const std::string state =
        strf("(i64({}) * H + s.unit)", p_.batch_first ? strf("n * {} + s.direction", p_.directions) : strf("s.direction * batch(p) + n"));
    function("float first_h(const Args& p, const rnn::Share& s, int n)", p_.has_h ? read(h_, state) : "0.0f");
    function("float first_c(const Args& p, const rnn::Share& s, int n)", p_.has_c ? read(c_, state) : "0.0f");
    const std::string kept = "static_cast<float*>(p.ws1)[(i64(s.direction) * batch(p) + n) * H + s.unit]";
    function("float kept_c(const Args& p, const rnn::Share& s, int n)", lstm ? kept : "0.0f");
    statements("void keep_c(const Args& p, const rnn::Share& s, int n, float c)", lstm ? kept + " = c;" : "");
    std::string end;
    if (outputs_ > 1) end += strf("static_cast<T*>(p.out1)[{}] = T(h); ", state);
    if (outputs_ > 2) end += strf("static_cast<T*>(p.out2)[{}] = T(c);", state);
    statements("void end(const Args& p, const rnn::Share& s, int n, float h, float c)", end);
    steps();
    activations();
    cell();
    return out_ + "};\n";
  }

 private:
  void statements(std::string_view head, std::string_view body) {
    out_ += strf("  static __device__ __forceinline__ {} {{ {} }}\n", head, body);
  }
  void function(std::string_view head, std::string_view value) { statements(head, strf("return {};", value)); }
  static std::string read(size_t input, std::string_view at) { return strf("float(static_cast<const T*>(p.in{})[{}])", input, at); }
  /// Of the gate's peephole, from the cell's state.
  std::string peep(int gate, std::string_view c) const {
    if (!p_.has_peepholes) return "";
    return strf(" + {} * {}", read(peepholes_, strf("(s.direction * 3 + {}) * H + s.unit", gate)), c);
  }

  /// Where a batch row's step k finds its gates and leaves its state.
  void steps() {
    const std::string length = strf("static_cast<const int*>(p.in{})[n]", lengths_);
    function("int length(const Args& p, int n)", p_.has_lengths ? strf("{0} < seq(p) ? {0} : seq(p)", length) : "seq(p)");
    const std::string backwards = p_.directions == 2 ? "direction == 1" : p_.reverse ? "true" : "false";
    function("int time(int direction, int k, int length)", strf("{} ? length - 1 - k : k", backwards));
    const std::string step = p_.batch_first ? "(i64(n) * seq(p) + t)" : "(i64(t) * batch(p) + n)";
    statements("void load_gates(const Args& p, const rnn::Share& s, int t, int n, float (&x)[GATES])",
               strf("const T* const from = static_cast<const T*>(p.in0) + ({} * {} + s.direction) * (GATES * H) + s.unit;\n#pragma unroll\n"
                    "    for (int g = 0; g < GATES; ++g) x[g] = float(from[g * H]);\n",
                    step, p_.directions));
    const std::string y = p_.batch_first ? strf("({} * {} + s.direction)", step, p_.directions)
                                         : strf("((i64(t) * {} + s.direction) * batch(p) + n)", p_.directions);
    statements("void store_y(const Args& p, const rnn::Share& s, int t, int n, float h)",
               strf("static_cast<T*>(p.out0)[{} * H + s.unit] = T(h);", y));
  }

  void activations() {
    const size_t each = engine::activations_of(p_.kind);
    if (p_.clip)
      function("float clipped(float x)", strf("x < float(-{0}) ? float(-{0}) : x > float({0}) ? float({0}) : x", *p_.clip));
    else
      function("float clipped(float x)", "x");
    for (size_t i = 0; i < each; ++i) {
      const std::string first = activation_text(p_.activations[i], "x");
      const std::string second = p_.directions == 2 ? activation_text(p_.activations[each + i], "x") : first;
      function(strf("float f{}(int direction, float x)", i), first == second ? first : strf("direction == 0 ? ({}) : ({})", first, second));
    }
  }

  void cell() {
    const std::string head =
        "float cell(const Args& p, const rnn::Share& s, const float (&x)[GATES], const float (&r)[GATES], float h, float& c)";
    const auto act = [](int f, const std::string& x) { return strf("f{}(s.direction, clipped({}))", f, x); };
    std::string body;
    if (p_.kind == CellKind::rnn) body = strf("return {};", act(0, "x[0] + r[0]"));
    if (p_.kind == CellKind::gru) {
      const std::string bias = p_.has_bias ? strf(" + {}", read(bias_, "s.direction * H + s.unit")) : "";
      body = strf("const float z = {};\n    ", act(0, "x[0] + r[0]"));
      const std::string candidate = p_.linear_before_reset ? strf("{} * (r[2]{})", act(0, "x[1] + r[1]"), bias) : "r[2]";
      body += strf("return (1 - z) * {} + z * h;", act(1, strf("x[2] + {}", candidate)));
    }
    if (p_.kind == CellKind::lstm) {
      body = strf("const float in = {};\n    ", act(0, "x[0] + r[0]" + peep(0, "c")));
      body += strf("const float forget = {};\n    ", p_.input_forget ? "1 - in" : act(0, "x[2] + r[2]" + peep(2, "c")));
      body += strf("c = forget * c + in * {};\n    ", act(1, "x[3] + r[3]"));
      body += strf("return {} * f2(s.direction, c);", act(0, "x[1] + r[1]" + peep(1, "c")));
    }
    statements(head, body);
    if (p_.kind == CellKind::gru)
      function("float gated(int direction, const float (&x)[GATES], const float (&r)[GATES], float h)",
               "f0(direction, clipped(x[1] + r[1])) * h");
  }

  KernelWriter& w_;
  const RecurrentProblem& p_;
  const Spread& s_;
  size_t outputs_, bias_ = 0, lengths_ = 0, h_ = 0, c_ = 0, peepholes_ = 0;
  std::string out_;
};

Result<engine::Kernel> build_recurrent(const engine::Problem& problem, const tune::BuildCtx& ctx) {
  const auto& p = *problem.as<RecurrentProblem>();
  const Spread s = spread_of(p, ctx.device);
  const size_t inputs = 2U + p.has_bias + p.has_lengths + p.has_h + p.has_c + p.has_peepholes;
  const size_t outputs = ctx.outputs > 0 ? static_cast<size_t>(ctx.outputs) : p.kind == CellKind::lstm ? 3 : 2;
  KernelWriter w(inputs, outputs);
  w.workspace(engine::WorkspaceKind::persistent, Dim(16) + p.batch * Dim(16 * p.directions * s.words()));
  if (p.kind == CellKind::lstm) w.workspace(engine::WorkspaceKind::scratch, p.batch * Dim(4 * p.directions * s.hidden));
  w.raw_top(std::string(kPtx) + std::string(kRecurrent) + ConfigText(w, p, s, outputs).text());
  const auto batch = p.batch.constant();
  const bool single = batch && *batch <= s.rows;
  if (!batch && s.rows > 1) w.line("if (Config::batch(p) == 1) return rnn::run<Config, 1, true>(p);");
  w.line("rnn::run<Config, {}, {}>(p);", s.rows, single);
  KernelWriter::Geometry geometry{.grid = {Dim(s.blocks * p.directions)}, .threads = s.threads(), .cooperative = true};
  geometry.shared_bytes = s.state_bytes() + (s.in_shared ? s.units * s.gates * s.shared_row() * (bits_of(p.type) / 8) : 0);
  return w.finish(ctx, geometry);
}

}  // namespace

tune::Tactic recurrent() { return {"recurrent", supports_recurrent, build_recurrent}; }

}  // namespace tenon::cuda
