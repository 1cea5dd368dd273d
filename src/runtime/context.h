// Context: runs an engine for one caller at a time. Cheap; many contexts share one engine and its weights.
#pragma once
#include "runtime/frame.h"

namespace tenon::runtime {

struct RunOptions {
  void* stream = nullptr;  // of the plan's device, which the work goes to; null: the context's own
  bool wait = true;        // return when the results are there
  bool may_block = true;   // on the way, for steps of the host; else they are an error, and so are inputs and outputs of the host
};

class Context {
 public:
  static Result<std::unique_ptr<Context>> create(std::shared_ptr<const Engine> engine);
  ~Context();

  const Engine& engine() const { return *engine_; }
  /// Position of a name among the inputs or outputs; errors list the names there are.
  Result<size_t> input_index(std::string_view name) const;
  Result<size_t> output_index(std::string_view name) const;

  /// The value is kept until it is replaced; its memory may be the caller's, on the plan's device too (Tensor::on_device). A tensor of one
  /// element may stand for a scalar. Errors: another element type, memory that is not the device's.
  Result<void> set_input(size_t index, HostValue value);
  const HostValue& input(size_t index) const { return inputs_[index]; }
  /// The caller's memory for an output, on the plan's device too; a tensor without data takes it back.
  Result<void> set_output(size_t index, Tensor memory);
  /// Where the context's own memory for an output lies. Errors: the plan is for the host alone; an output that is no tensor.
  Result<void> place_output(size_t index, bool on_device);
  /// Runs. Tensors in the device's memory are read and written in place where they are 64-byte aligned, else copied within it. Errors: a
  /// missing input, wrong types or shapes, no memory, a stream of another device.
  Result<void> run(const RunOptions& options = {});
  /// Begins a run on a stream and returns before the device has ended it; what the stream is given next comes after it. The first run of
  /// a shape may wait for earlier ones. Errors also: steps of the host, inputs and outputs in its memory.
  Result<void> enqueue(void* stream = nullptr) { return run({.stream = stream, .wait = false, .may_block = false}); }
  /// Waits for all runs that were begun. Errors: what went wrong in them.
  Result<void> wait();
  /// Runs end after the first `steps` steps of the plan (a region counts as one) and leave outputs as they were: what a step costs among
  /// the others is what it adds. Negative: all steps again. Waits for runs that were begun; errors: what went wrong in them.
  Result<void> stop_after(int64_t steps) { return frame_->stop_after(steps); }
  /// The stream of the context's own queue; null: the plan is for the host alone.
  void* stream() const { return queues_->own_stream(); }
  /// Of the last run.
  const RunStats& stats() const { return queues_->stats; }
  /// Memory of the plan's last device for `bytes`, as long as the context lives. Errors: the plan is for the host alone.
  Result<std::byte*> device_memory(int64_t bytes);
  /// Copies between memories of host and device, in order with the runs; ends before it returns.
  Result<void> copy(std::byte* to, const std::byte* from, int64_t bytes, engine::CopyKind kind);
  /// After run(): dims and data. Memory of this context is reused by the next run unless a copy of the value is kept.
  const HostValue& output(size_t index) const { return outputs_[index]; }
  /// The shapes that outputs will have, as far as the inputs' shapes alone decide it.
  Result<std::vector<std::optional<Dims>>> output_shapes() const;
  /// Bytes of activations for the inputs' shapes, and the least any placement could need.
  Result<MemoryUse> memory_use();

 private:
  Context() = default;
  Result<void> check_memory(const Tensor& tensor) const;
  Result<void> check_unblocked() const;
  Result<void> start(bool wait);
  std::shared_ptr<const Engine> engine_;
  std::shared_ptr<Queues> queues_;
  std::unique_ptr<Frame> frame_;
  std::vector<HostValue> inputs_, outputs_;
  std::vector<Tensor> wanted_;
  std::vector<bool> placed_;  // of each output: the context's own memory for it is the device's
  std::shared_ptr<const WeightSet> weights_;
  std::vector<std::shared_ptr<std::byte>> device_memory_;  // before queues_ is closed
};

/// Symbols and numbers of the inputs' shapes only: the values that the given shapes bind.
Result<MemoryUse> memory_for(std::shared_ptr<const Engine> engine, const DimValues& values);

}  // namespace tenon::runtime
