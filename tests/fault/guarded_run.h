// Runs engines whose bytes are not to be trusted, within bounds: what tests of damaged files and the fuzzer share.
#pragma once
#include <functional>

#include "runtime/context.h"

namespace tenon {

constexpr int64_t kMostBytes = 64 << 20;  // of activations and of one input

/// Whether any body holds a loop, whose trip count a mutation may make endless.
inline bool has_loop(const engine::Body& body) {
  for (const engine::Segment& segment : body.segments)
    for (const engine::Region& region : segment.region) {
      if (region.kind != engine::RegionKind::branch) return true;
      for (const engine::Body& inner : region.bodies)
        if (has_loop(inner)) return true;
    }
  return false;
}

/// A value of the type with small dims: symbols are 1 + their position mod 3. Nothing where the plan asks for too much.
inline std::optional<HostValue> small_value(const ValueType& type, int depth = 0) {
  if (depth > 4) return std::nullopt;
  HostValue out;
  if (type.kind == ValueType::Kind::tensor) {
    if (type.dtype == DType::none) return std::nullopt;
    Dims dims;
    if (type.shape.has_rank())
      for (const Dim& dim : type.shape.dims()) dims.push_back(dim.constant().value_or(1 + static_cast<int64_t>(dims.size()) % 3));
    const auto elems = checked_elems(dims);
    if (!elems.ok() || *elems > kMostBytes / 16) return std::nullopt;
    auto tensor = Tensor::allocate(type.dtype, dims);
    if (!tensor.ok()) return std::nullopt;
    if (type.dtype != DType::str)
      for (int64_t i = 0; i < tensor->bytes(); ++i) tensor->data[i] = static_cast<std::byte>(i % 3 == 0);
    return HostValue(std::move(*tensor));
  }
  if (type.kind == ValueType::Kind::map || !type.element) return std::nullopt;
  out.kind = type.kind == ValueType::Kind::sequence ? HostValue::Kind::sequence : HostValue::Kind::optional;
  auto item = small_value(*type.element, depth + 1);
  if (!item) return std::nullopt;
  out.items.push_back(std::move(*item));
  return out;
}

/// Loads, and if that succeeds runs where the plan stays within bounds. Errors are fine; only a crash is not. Whether it ran.
inline bool load_and_run(ByteView bytes, std::shared_ptr<const void> keep_alive, bool verify_weights) {
  runtime::LoadOptions options;
  options.verify_weights = verify_weights;
  options.log = Log([](Severity, std::string_view) {});
  const auto engine = runtime::Engine::load(bytes, std::move(keep_alive), options);
  if (!engine.ok() || has_loop((*engine)->plan().main)) return false;
  const auto context = runtime::Context::create(*engine);
  if (!context.ok()) return false;
  const auto& ports = (*engine)->plan().main.inputs;
  for (size_t i = 0; i < ports.size(); ++i) {
    auto value = small_value(ports[i].type);
    if (!value || !(*context)->set_input(i, std::move(*value)).ok()) return false;
  }
  const auto use = (*context)->memory_use();
  if (!use.ok() || use->bytes > kMostBytes) return false;
  return (*context)->run().ok();
}

}  // namespace tenon
