// The text form of a module: prints and parses back to the same text. Dumps, pass tests, reproducers and the engine's graph use it.
//
//   symbols n in [1, 64], h
//   root "conv1.weight": f32[64, 3, 7, 7] hash 0x0123456789abcdef
//   graph main(%x: f32[n, 3, h, h]) -> (%y as "logits") {
//     %c: i64[2] = constant [1, -1]
//     %w: f32[64, 3, 7, 7] = root "conv1.weight"
//     %y: f32[n, 64, 10, 10] = Conv(%x, %w, _) strides=[2, 2] epilogue={relu(x0:f32)} device=0 origins=["conv1:Conv"]
//   }
//   blob 0x0123456789abcdef "00ff…"
//
// The first graph is the main one. A value without a name is %<number>, counted per graph; a repeated name gets a suffix. `_` is an
// absent input. Types of node outputs may be left out in text written by hand: they are inferred. Roots may be without contents.
#pragma once
#include <map>

#include "ir/graph.h"

namespace tenon::ir {

/// Contents that do not stand in the text, by content_hash().
struct Blobs {
  std::map<uint64_t, Tensor> constants, roots;
};

/// Prints what is reachable from the main graph's outputs and order; never fails, also not on a broken module.
std::string to_string(const Module& module, Blobs* blobs = nullptr);
/// The text and the contents of its constants (not of its roots) as blob lines: all that a pass may look at.
std::string to_reproducer(const Module& module);
/// For messages: "Conv 'conv1'", or "Conv (%y)" for a node without origins.
std::string describe(const Graph& graph, const Node& node);

/// `ops`: the operators that the text may name. Errors name line and column. A constant's contents must stand in the text or in
/// `blobs`; a root's may be missing. The result is well formed in its ids; verify() says whether it is right.
Result<Module> parse_module(std::string_view text, std::span<const OpRow> ops, const Blobs* blobs = nullptr);

}  // namespace tenon::ir
