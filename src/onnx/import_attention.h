// What importers of the attention family share.
#pragma once
#include <limits>

#include "onnx/node_import.h"

namespace tenon::onnx {

inline constexpr double kMinusInfinity = -std::numeric_limits<double>::infinity();

/// [b, s, heads·d] → [b, heads, s, d], and back.
ValueId split_heads(NodeImport& n, ValueId x, int64_t heads);
ValueId join_heads(NodeImport& n, ValueId x);
/// Each head `times` times in a row: [b, h, s, d] → [b, h·times, s, d].
ValueId repeat_heads(NodeImport& n, ValueId x, int64_t heads, int64_t times);
/// A mask that ends before the last key forbids the keys behind its end.
ValueId padded_mask(NodeImport& n, ValueId mask, ValueId keys);
/// -∞ where the condition does not hold.
ValueId masked_where(NodeImport& n, ValueId scores, ValueId allowed);
/// q · kᵀ · the attribute scale; where that is absent or 0: 1 / √(the size of a head of q).
ValueId scores_of_heads(NodeImport& n, ValueId q, ValueId k);
/// x1 and x2, the halves or the even and odd elements of the first `rotated` (0: all) of the last dim, become cos·x1 - sin·x2 and
/// sin·x1 + cos·x2. x has rank 4, its heads in dim 1 or 2; cos and sin are [b, s, half of the rotated].
ValueId rotate(NodeImport& n, ValueId x, ValueId cos, ValueId sin, bool interleaved, int64_t rotated, bool heads_first);

// ---- com.microsoft

/// q [b, heads, s, d], k and v [b, heads, total, d]: the operands of one attention, and what is added to its scores.
struct HeadsOfAttention {
  ValueId q = ValueId::none, k = ValueId::none, v = ValueId::none;
  ValueId mask = ValueId::none, bias = ValueId::none;  // both broadcast to [b, heads, s, total]
  bool causal = false;
};
/// The mask input in its forms, told apart by rank and size, as numbers to add: lengths of the keys [b], ends and starts [2·b], lengths
/// and offsets of packed batches [3·b + 2], keys [b, total], one row per query [b, s, total], or Megatron's [b, 1, max, max].
ValueId attention_mask(NodeImport& n, size_t input, ValueId q, ValueId k);
/// Softmax of the scores times v, heads joined; the second value is the scores.
Values attend(NodeImport& n, const HeadsOfAttention& a);
/// The cache with `fresh` at `past` (one number), which says how much of the cache is used, and the used part of the result.
struct SharedCache {
  ValueId whole = ValueId::none, used = ValueId::none;
};
SharedCache write_shared(NodeImport& n, ValueId cache, ValueId fresh, ValueId past);

}  // namespace tenon::onnx
