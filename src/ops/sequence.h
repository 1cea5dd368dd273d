// Sequences of values. Positions are i32 or i64 scalars, negative ones from the end.
#pragma once
#include "ops/row.h"

namespace tenon::ops {

struct SequenceConstruct {
  static constexpr std::string_view kName = "SequenceConstruct";
  static constexpr OpTraits kTraits{.containers = true};
  static constexpr auto kFields = Fields{};
};
Result<Facts> infer(const SequenceConstruct& op, std::span<const Fact> in, InferCtx& ctx);
Result<void> eval(const SequenceConstruct& op, std::span<const HostValue> in, std::span<HostValue> out);

struct SequenceEmpty {
  DType dtype = DType::f32;
  static constexpr std::string_view kName = "SequenceEmpty";
  static constexpr OpTraits kTraits{.operands = 0, .containers = true};
  static constexpr auto kFields = Fields{Field{1, "dtype", &SequenceEmpty::dtype}};
};
Result<Facts> infer(const SequenceEmpty& op, std::span<const Fact> in, InferCtx& ctx);
Result<void> eval(const SequenceEmpty& op, std::span<const HostValue> in, std::span<HostValue> out);

struct SequenceAt {
  static constexpr std::string_view kName = "SequenceAt";
  static constexpr OpTraits kTraits{.operands = 2, .containers = true};
  static constexpr auto kFields = Fields{};
};
Result<Facts> infer(const SequenceAt& op, std::span<const Fact> in, InferCtx& ctx);
Result<void> eval(const SequenceAt& op, std::span<const HostValue> in, std::span<HostValue> out);

/// sequence, tensor, position? (none: at the end)
struct SequenceInsert {
  static constexpr std::string_view kName = "SequenceInsert";
  static constexpr OpTraits kTraits{.operands = 2, .containers = true};
  static constexpr auto kFields = Fields{};
};
Result<Facts> infer(const SequenceInsert& op, std::span<const Fact> in, InferCtx& ctx);
Result<void> eval(const SequenceInsert& op, std::span<const HostValue> in, std::span<HostValue> out);

/// sequence, position? (none: the last)
struct SequenceErase {
  static constexpr std::string_view kName = "SequenceErase";
  static constexpr OpTraits kTraits{.containers = true};
  static constexpr auto kFields = Fields{};
};
Result<Facts> infer(const SequenceErase& op, std::span<const Fact> in, InferCtx& ctx);
Result<void> eval(const SequenceErase& op, std::span<const HostValue> in, std::span<HostValue> out);

struct SequenceLength {
  static constexpr std::string_view kName = "SequenceLength";
  static constexpr OpTraits kTraits{.containers = true};
  static constexpr auto kFields = Fields{};
};
Result<Facts> infer(const SequenceLength& op, std::span<const Fact> in, InferCtx& ctx);
Result<void> eval(const SequenceLength& op, std::span<const HostValue> in, std::span<HostValue> out);

/// x, split? (a scalar length, or the lengths of all pieces; none: pieces of 1)
struct SplitToSequence {
  int64_t axis = 0;
  bool keepdims = true;  // without `split`: whether pieces of 1 keep the axis
  static constexpr std::string_view kName = "SplitToSequence";
  static constexpr auto kFields = Fields{Field{1, "axis", &SplitToSequence::axis}, Field{2, "keepdims", &SplitToSequence::keepdims}};
};
Result<Facts> infer(const SplitToSequence& op, std::span<const Fact> in, InferCtx& ctx);
Result<void> eval(const SplitToSequence& op, std::span<const HostValue> in, std::span<HostValue> out);

struct ConcatFromSequence {
  int64_t axis = 0;
  bool new_axis = false;
  static constexpr std::string_view kName = "ConcatFromSequence";
  static constexpr OpTraits kTraits{.containers = true};
  static constexpr auto kFields = Fields{Field{1, "axis", &ConcatFromSequence::axis}, Field{2, "new_axis", &ConcatFromSequence::new_axis}};
};
Result<Facts> infer(const ConcatFromSequence& op, std::span<const Fact> in, InferCtx& ctx);
Result<void> eval(const ConcatFromSequence& op, std::span<const HostValue> in, std::span<HostValue> out);

}  // namespace tenon::ops
