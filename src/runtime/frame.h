// Frame: runs one Body again and again. It owns the arenas of the body, keeps what it worked out per shape, and holds the frames of
// the regions in it. A frame serves one caller at a time.
#pragma once
#include <deque>
#include <map>
#include <memory>

#include "runtime/memory.h"
#include "runtime/queues.h"

namespace tenon::runtime {

/// What the placement of one set of shapes needs.
struct MemoryUse {
  int64_t bytes = 0, lower_bound = 0;
};

struct CodeRun;

class Frame {
 public:
  Frame(const Engine& engine, const engine::Body& body, Queues& queues);
  ~Frame();

  /// `outer`: values of the enclosing body's symbols. `outputs`: a tensor with data receives the result there (its bytes must suffice);
  /// one that is on_device without data gets memory of the device; an absent value receives one that this frame or the caller's copies
  /// own. Without `wait` devices may still be at work on return.
  Result<void> run(const WeightSet& weights, std::span<const HostValue> inputs, const DimValues& outer, std::vector<HostValue>& outputs,
                   bool wait = true);
  /// Ends runs after so many steps; negative: never. Waits for those at work; errors: what went wrong in them.
  Result<void> stop_after(int64_t steps);
  /// Values of the body's symbols from the inputs' dims; errors name the input.
  Result<DimValues> bind_inputs(std::span<const HostValue> inputs, const DimValues& outer) const;
  /// Places the buffers whose sizes follow from `values` alone, without running.
  Result<MemoryUse> memory_use(const DimValues& values);

 private:
  struct Chunk;        // the arena memory of one stage in one space
  struct StepCall;     // a step with numbers in place of dims
  struct SegmentPlan;  // the calls of a segment for one set of sizes
  struct ShapePlan;    // all segments for one set of input shapes

  void find_stages();
  // Inputs and outputs in their own memory (frame_results.cpp).
  void find_results();
  Result<void> redirect_results(int64_t stage);
  Result<HostValue*> stored(int64_t buffer);
  Result<HostValue*> on_host(int64_t buffer, HostValue& value);
  Result<Tensor> downloaded(const Tensor& tensor);
  Result<void> move(const Tensor& from, const Tensor& to, std::string_view output);
  Result<Tensor> result_memory(const HostValue& asked, const Tensor& value, const engine::Port& port);
  bool shows_input(const engine::Operand& operand) const;
  Result<void> finish(std::vector<HostValue>& outputs);
  Result<ShapePlan*> shape_plan();
  std::vector<int64_t> key_of(int64_t stage) const;
  Result<void> place_stage(ShapePlan& shapes, int64_t stage);
  Result<void> prepare_segment(ShapePlan& shapes, int64_t segment);
  Result<void> prepare_operand(const engine::Operand& operand, bool output, StepCall& call, std::vector<HostValue>& list);
  Result<void> run_segment(ShapePlan& shapes, int64_t segment);
  Result<void> set_operands(StepCall& call, bool outputs);
  Result<void> launch(StepCall& call);
  // Steps of device code (frame_code.cpp).
  Result<void> prepare_code(const engine::Kernel& kernel, const StepKernel& functions, StepCall& call);
  Result<void> reserve_scratch(const SegmentPlan& plan);
  void find_runs(SegmentPlan& plan) const;
  void drop_graphs(SegmentPlan& plan);
  Result<void> run_code(SegmentPlan& plan, CodeRun& run, size_t end);
  Result<void> launch_code(StepCall& call, bool& after_code);
  Result<void> launch_checked(StepCall& call);
  std::vector<const void*> addresses() const;
  Result<void> check_step(const StepCall& call);
  Result<void> after_step(const engine::Step& step, StepCall& call);
  Result<void> bind_defines(const std::vector<std::string>& defines, const std::vector<engine::Operand>& out,
                            std::span<const HostValue> values);
  Result<std::byte*> arena_address(int64_t buffer) const;
  Result<HostValue> load(const engine::Operand& operand);
  Result<void> run_region(const engine::Region& region);
  Result<void> run_branch(const engine::Region& region, std::vector<HostValue> in, std::vector<HostValue>& out);
  Result<void> run_loop(const engine::Region& region, std::vector<HostValue> in, std::vector<HostValue>& out);
  Result<void> run_scan(const engine::Region& region, std::vector<HostValue> in, std::vector<HostValue>& out);
  Result<void> run_body(const engine::Body& body, std::span<const HostValue> in, std::vector<HostValue>& out);
  Result<void> poison(bool check);

  const Engine& engine_;
  const engine::Body& body_;
  Queues& queues_;
  const WeightSet* weights_ = nullptr;
  const WeightSet* prepared_for_ = nullptr;
  // Stages: a stage begins at the segment where new symbols become known.
  std::map<std::string, int64_t, std::less<>> symbol_stage_;
  std::vector<int64_t> buffer_stage_;
  std::vector<bool> stage_begins_;
  std::vector<int64_t> set_of_, sets_;                                   // alias set of each buffer; the buffers that lead one
  std::map<int64_t, Chunk> scratch_;                                     // of each space: what one step at a time may overwrite
  std::map<std::pair<const engine::Workspace*, int64_t>, Chunk> owned_;  // workspaces that keep their contents: (row, space)
  struct ResultCopy {
    int64_t from = -1, output = -1;
  };
  std::vector<ResultCopy> results_;                      // buffers that a step copies to an output, as they are
  std::vector<bool> host_written_;                       // of each buffer: an output that a host step writes
  std::map<int64_t, HostValue> downloads_;               // by buffer: what the host reads in this run of values on a device
  std::vector<std::byte*> redirects_;                    // of each buffer: memory of the caller's that stands in for it in this run
  std::map<std::pair<int64_t, int64_t>, Chunk> chunks_;  // (stage, space)
  std::deque<std::pair<std::vector<int64_t>, std::unique_ptr<ShapePlan>>> shapes_;  // most recent first
  ShapePlan* current_ = nullptr;
  DimValues values_;
  std::vector<HostValue> stored_;  // inputs, outputs and slots, by buffer
  std::vector<HostValue> kept_outputs_;
  int64_t step_limit_ = -1, steps_left_ = 0;
  std::map<const engine::Body*, std::unique_ptr<Frame>> children_;
};

}  // namespace tenon::runtime
