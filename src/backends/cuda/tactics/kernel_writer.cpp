#include "backends/cuda/tactics/kernel_writer.h"

#include "backends/cuda/kernels/texts.h"
#include "base/hash.h"

namespace tenon::cuda {

std::string KernelWriter::size(const Dim& dim) {
  if (const auto number = dim.constant()) return strf("{}", *number);
  for (size_t i = 0; i < sizes_.size(); ++i)
    if (sizes_[i] == dim) return strf("p.d{}", i);
  sizes_.push_back(dim);
  return strf("p.d{}", sizes_.size() - 1);
}

size_t KernelWriter::workspace(engine::WorkspaceKind kind, Dim bytes) {
  workspaces_.push_back({kind, std::move(bytes)});
  return workspaces_.size() - 1;
}

namespace {
int64_t most_dependent_blocks(const tune::BuildCtx& ctx) { return engine::kDependentBlocksPerUnit * ctx.device.units; }
}  // namespace

engine::Kernel KernelWriter::finish(const tune::BuildCtx& ctx, const Geometry& geometry) {
  engine::Launch launch{.grid = geometry.grid, .block = {Dim(geometry.threads)}, .cluster = geometry.cluster};
  std::string members;
  const auto member = [&](std::string_view type, std::string_view stem, size_t i, engine::Reloc reloc) {
    members += strf("  {} {}{};\n", type, stem, i);
    reloc.offset = static_cast<int64_t>(8 * launch.relocs.size());
    launch.relocs.push_back(std::move(reloc));
  };
  const size_t of_step = std::max(inputs_, static_cast<size_t>(ctx.inputs));
  for (size_t i = 0; i < inputs_; ++i) {
    const size_t index = i < inputs_ - trailing_ ? i : of_step - (inputs_ - i);
    member("const void*", "in", i, {.kind = engine::RelocKind::arena, .index = static_cast<int64_t>(index)});
  }
  for (size_t i = 0; i < outputs_; ++i)
    member("void*", "out", i, {.kind = engine::RelocKind::arena, .index = static_cast<int64_t>(of_step + i)});
  for (size_t i = 0; i < workspaces_.size(); ++i)
    member("void*", "ws", i, {.kind = engine::RelocKind::workspace, .index = static_cast<int64_t>(i)});
  for (size_t i = 0; i < sizes_.size(); ++i) member("long long", "d", i, {.kind = engine::RelocKind::dim, .value = sizes_[i]});
  launch.args.resize(8 * launch.relocs.size());
  launch.shared_bytes = geometry.shared_bytes;
  if (engine::has_dependent_launch(ctx.device.arch)) launch.mode = geometry.mode;
  const auto known = [](const Dim& dim) { return dim.is_constant(); };
  if (launch.mode == engine::LaunchMode::dependent && !std::all_of(launch.grid.begin(), launch.grid.end(), known))
    launch.most_blocks = most_dependent_blocks(ctx);
  launch.cooperative = geometry.cooperative;
  const auto library = [&](std::string_view name, std::string_view text) {
    return top_.find(name) == std::string::npos && body_.find(name) == std::string::npos ? std::string_view() : text;
  };
  std::string stress, first;
  if (ctx.code.stress) {
    stress = strf("#define TENON_STRESS {}u\n{}", hash_text(body_, hash_text(top_)) & 0xffffffff, kStress);
    first = "  trigger();\n";
  }
  const std::string text = std::string(kPrelude) + stress + std::string(library("fn::", kScalar)) + std::string(library("fold::", kFold)) +
                           std::string(library("resize::", kResize)) + "struct Args {\n" + members + "};\n" + top_ +
                           strf("extern \"C\" __global__ void __launch_bounds__({}, {}) TENON_KERNEL(const __grid_constant__ Args p) {{\n",
                                geometry.threads, geometry.blocks_per_unit) +
                           first + body_ + "}\n";
  launch.code = ctx.code.add(text);
  return {.launches = {std::move(launch)}, .workspaces = workspaces_};
}

engine::LaunchMode mode_of(const tune::BuildCtx& ctx, const Dim& blocks) {
  return blocks.is_constant() && *blocks.constant() > most_dependent_blocks(ctx) ? engine::LaunchMode::plain
                                                                                 : engine::LaunchMode::dependent;
}

}  // namespace tenon::cuda
