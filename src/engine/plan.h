// The plan: what the runtime executes, as plain data. All of it prints, parses, hashes and is stored in the engine file.
// Positions: a step's number counts the steps of its body over all segments; a region counts as one.
#pragma once
#include <optional>

#include "engine/kernel.h"
#include "engine/problem.h"

namespace tenon::engine {

enum class BufferKind : uint8_t {
  arena,   // placed by the runtime's solver
  input,   // given by the caller of the body: index = its port
  output,  // wanted by the caller of the body: index = its port
  weight,  // index = row of Plan::weights
  slot,    // a value whose size the plan cannot say, or that is no dense tensor: lives in a host slot
};
constexpr auto enum_names(BufferKind) { return std::array<std::string_view, 5>{"arena", "input", "output", "weight", "slot"}; }

struct Buffer {
  std::string name;  // of the value, for people
  BufferKind kind = BufferKind::arena;
  int64_t space = 0;  // index of a device of the plan: where the memory lies
  int64_t index = -1;
  Dim bytes;                    // arena: what it needs
  int64_t first = 0, last = 0;  // arena: the steps between which it holds a value, both included
  int64_t alias = -1;           // arena: buffers of one alias set may share memory (in-place steps), none relies on it; -1: alone
  static constexpr std::string_view kName = "Buffer";
  static constexpr auto kFields =
      Fields{Field{1, "name", &Buffer::name},   Field{2, "kind", &Buffer::kind},   Field{3, "space", &Buffer::space},
             Field{4, "index", &Buffer::index}, Field{5, "bytes", &Buffer::bytes}, Field{6, "first", &Buffer::first},
             Field{7, "last", &Buffer::last},   Field{8, "alias", &Buffer::alias}};
};

/// A value in a buffer. Dense row-major unless strides (in elements, one per dim) are given. buffer -1: an absent optional input.
struct Operand {
  int64_t buffer = -1;
  Dim offset;  // bytes
  std::vector<Dim> strides;
  ValueType type;
  static constexpr std::string_view kName = "Operand";
  static constexpr auto kFields = Fields{Field{1, "buffer", &Operand::buffer}, Field{2, "offset", &Operand::offset},
                                         Field{3, "strides", &Operand::strides}, Field{4, "type", &Operand::type}};
};

struct Step {
  std::string name;  // the ONNX nodes it computes, "conv1+relu1"
  int64_t device = 0;
  Problem problem;
  std::vector<Operand> in, out;
  std::vector<int64_t> waits;        // steps of other devices that must have finished
  std::vector<std::string> defines;  // symbols whose values are known after it, from the dims of its outputs
  std::vector<Variant> variants;     // the first whose guards hold runs
  static constexpr std::string_view kName = "Step";
  static constexpr auto kFields =
      Fields{Field{1, "name", &Step::name},       Field{2, "device", &Step::device},    Field{3, "problem", &Step::problem},
             Field{4, "in", &Step::in},           Field{5, "out", &Step::out},          Field{6, "waits", &Step::waits},
             Field{7, "defines", &Step::defines}, Field{8, "variants", &Step::variants}};
};

enum class RegionKind : uint8_t { branch, loop, scan };
constexpr auto enum_names(RegionKind) { return std::array<std::string_view, 3>{"branch", "loop", "scan"}; }

struct Body;
/// branch: in = condition, captures; bodies then, else. loop: in = trip count?, condition?, carried…, captures; body in = iteration,
/// condition, carried…, captures, out = condition, carried…, scans…. scan: in = carried…, scanned…, captures.
struct Region {
  std::string name;
  RegionKind kind = RegionKind::branch;
  std::vector<Operand> in, out;
  std::vector<int64_t> waits;
  std::vector<std::string> defines;
  int64_t captures = 0;
  int64_t scan_inputs = 0;                                            // scan
  std::vector<int64_t> in_axes, in_reversed, out_axes, out_reversed;  // scan: one entry per scanned input and scan output
  std::vector<Body> bodies;
  static constexpr std::string_view kName = "Region";
  static constexpr auto kFields = Fields{Field{1, "name", &Region::name},
                                         Field{2, "kind", &Region::kind},
                                         Field{3, "in", &Region::in},
                                         Field{4, "out", &Region::out},
                                         Field{5, "waits", &Region::waits},
                                         Field{6, "defines", &Region::defines},
                                         Field{7, "captures", &Region::captures},
                                         Field{8, "scan_inputs", &Region::scan_inputs},
                                         Field{9, "in_axes", &Region::in_axes},
                                         Field{10, "in_reversed", &Region::in_reversed},
                                         Field{11, "out_axes", &Region::out_axes},
                                         Field{12, "out_reversed", &Region::out_reversed},
                                         Field{13, "bodies", &Region::bodies}};
};

/// Ends at a step that defines a size, at a region, or where the work moves between host and device.
struct Segment {
  std::vector<Step> steps;
  std::vector<Region> region;  // none or one, after the steps
  static constexpr std::string_view kName = "Segment";
  static constexpr auto kFields = Fields{Field{1, "steps", &Segment::steps}, Field{2, "region", &Segment::region}};
};

/// The boundary: a name and a declared type, whose bare symbols get their values from the caller's tensor.
struct Port {
  std::string name;
  ValueType type;
  Operand operand;
  static constexpr std::string_view kName = "Port";
  static constexpr auto kFields = Fields{Field{1, "name", &Port::name}, Field{2, "type", &Port::type}, Field{3, "operand", &Port::operand}};
};

/// The main program or the body of a region; its arena is nested in its parent's.
struct Body {
  std::vector<Port> inputs, outputs;
  std::vector<Buffer> buffers;
  std::vector<Segment> segments;
  static constexpr std::string_view kName = "Body";
  static constexpr auto kFields = Fields{Field{1, "inputs", &Body::inputs}, Field{2, "outputs", &Body::outputs},
                                         Field{3, "buffers", &Body::buffers}, Field{4, "segments", &Body::segments}};
};

/// What a weight buffer holds: a blob of the file (a root by its name, a constant by its hash) or an output of a preparation.
struct WeightSource {
  std::string blob;
  int64_t prep = -1, output = 0;
  static constexpr std::string_view kName = "WeightSource";
  static constexpr auto kFields =
      Fields{Field{1, "blob", &WeightSource::blob}, Field{2, "prep", &WeightSource::prep}, Field{3, "output", &WeightSource::output}};
};

/// How something derived from roots is made: at load, and again on refit. `pack`: a PackFn and its version; "problem": the problem
/// on the reference.
struct Prep {
  std::string name;
  std::string pack = "problem";
  int64_t version = 1;
  Problem problem;
  std::vector<WeightSource> in;
  std::vector<ValueType> out;
  static constexpr std::string_view kName = "Prep";
  static constexpr auto kFields =
      Fields{Field{1, "name", &Prep::name},       Field{2, "pack", &Prep::pack}, Field{3, "version", &Prep::version},
             Field{4, "problem", &Prep::problem}, Field{5, "in", &Prep::in},     Field{6, "out", &Prep::out}};
};

/// Device code: a binary that holds one or more kernels.
struct CodeModule {
  std::string arch;  // "sm_90"
  std::string blob;  // its bytes, a blob of the file
  static constexpr std::string_view kName = "CodeModule";
  static constexpr auto kFields = Fields{Field{1, "arch", &CodeModule::arch}, Field{2, "blob", &CodeModule::blob}};
};

struct Plan {
  std::string target;                // "portable", "cpu", "sm_90", …
  std::vector<std::string> devices;  // backend of each device; 0 is the host
  std::vector<WeightSource> weights;
  std::vector<Prep> preps;  // in order: later ones may take earlier ones' outputs
  Body main;
  std::vector<CodeModule> modules;
  static constexpr std::string_view kName = "Plan";
  static constexpr auto kFields =
      Fields{Field{1, "target", &Plan::target}, Field{2, "devices", &Plan::devices}, Field{3, "weights", &Plan::weights},
             Field{4, "preps", &Plan::preps},   Field{5, "main", &Plan::main},       Field{6, "modules", &Plan::modules}};
};

/// Many lines for people: buffers, steps with operands and kernels, regions indented.
std::string to_string(const Plan& plan);
/// Every index, extent, dtype and name that the runtime relies on. A plan from a file is run only after this.
Result<void> validate(const Plan& plan);

}  // namespace tenon::engine
