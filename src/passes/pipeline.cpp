#include "passes/pipeline.h"

#include "passes/passes.h"

namespace tenon::passes {
namespace {

constexpr Pass kPortable[] = {
    // First to a fixpoint what makes graphs smaller: a folded shape turns a Reshape into a view, a view that goes away lets others meet,
    // and what nobody uses any more must not keep a neighbour from being the only user.
    {.name = "simplify_ops", .run = simplify_ops, .repeat = true},
    {.name = "fold_constants", .run = fold_constants, .repeat = true},
    {.name = "merge_common", .run = merge_common, .repeat = true},
    {.name = "remove_dead", .run = remove_dead, .repeat = true},
    // Needs the identities between a convolution and its norm gone. What is left becomes arithmetic, which is simplified again below.
    {.name = "fold_batch_norm", .run = fold_batch_norm},
    {.name = "simplify_ops", .run = simplify_ops, .repeat = true},
    {.name = "merge_common", .run = merge_common, .repeat = true},
    {.name = "remove_dead", .run = remove_dead, .repeat = true},
};

constexpr Pass kTarget[] = {
    // While sums, scales and masks still stand as the exporter wrote them.
    {.name = "recognise_layer_norm", .run = recognise_layer_norm, .target_pass = true},
    {.name = "recognise_attention", .run = recognise_attention, .target_pass = true},
    {.name = "split_recurrent", .run = split_recurrent, .target_pass = true},
    // Behind it: two layers that read one input become one product.
    {.name = "merge_siblings", .run = merge_siblings, .target_pass = true},
    // Behind both: heads are parts of one wide product, whose rows may lie in the order of what it reads.
    {.name = "order_rows", .run = order_rows, .target_pass = true},
    {.name = "absorb_views", .run = absorb_views, .target_pass = true},
    // Before fusing: a Transpose between a convolution and its activation would keep them apart.
    {.name = "use_channels_last", .run = use_channels_last, .target_pass = true},
    // Behind what looks at whole Splits.
    {.name = "slice_splits", .run = slice_splits, .target_pass = true},
    // Behind what looks at operators alone, before fusing: casts join the arithmetic.
    {.name = "lower_precision", .run = lower_precision, .target_pass = true},
    // Behind both: the Transpose in front of a model's first convolution rounds too.
    {.name = "join_pixels", .run = join_pixels, .target_pass = true},
    {.name = "choose_math", .run = choose_math, .target_pass = true},
    // Behind lower_precision: only 16-bit products take their left operand's norm.
    {.name = "fold_layer_norm", .run = fold_layer_norm, .target_pass = true},
    // What each user cast for itself is one value now: it can join what makes it.
    {.name = "merge_common", .run = merge_common, .target_pass = true},
    // Every target runs arithmetic inside the kernel before it; which operators take it is a flag of their rows.
    {.name = "fuse_pointwise", .run = fuse_pointwise, .target_pass = true},
    // Behind it: what stands in one expression now is not stored.
    {.name = "drop_roundings", .run = drop_roundings, .target_pass = true},
    {.name = "merge_common", .run = merge_common, .target_pass = true},
    // Behind fusing: its two layers have their functions.
    {.name = "recognise_squeeze_excite", .run = recognise_squeeze_excite, .target_pass = true},
    {.name = "remove_dead", .run = remove_dead, .target_pass = true},
    // Last: a backend is asked about whole nodes, epilogues included.
    {.name = "place_nodes", .run = place_nodes, .target_pass = true},
};

}  // namespace

std::span<const Pass> portable_pipeline() { return kPortable; }
std::span<const Pass> target_pipeline() { return kTarget; }

const Pass* find_pass(std::string_view name) {
  for (const std::span<const Pass> list : {portable_pipeline(), target_pipeline()})
    for (const Pass& pass : list)
      if (pass.name == name) return &pass;
  return nullptr;
}

}  // namespace tenon::passes
