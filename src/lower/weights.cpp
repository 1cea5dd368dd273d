#include "lower/weights.h"

#include <algorithm>

#include "base/hash.h"
#include "ir/contents.h"
#include "ir/text.h"

namespace tenon::lower {
namespace {

std::string constant_name(const Tensor& tensor) {
  return strf("#{:016x}", hash_text(strf("{}{}", to_string(tensor.dtype), to_string(tensor.dims)), ir::content_hash(tensor)));
}

void add_blob(std::vector<engine::Blob>& blobs, std::string name, bool root, const Tensor& data) {
  const auto same = [&](const engine::Blob& blob) { return blob.name == name; };
  if (std::none_of(blobs.begin(), blobs.end(), same)) blobs.push_back({std::move(name), root, data});
}

}  // namespace

engine::Problem reference_problem(const Op& op) {
  ByteWriter attributes;
  encode(*op.row().attributes, op.attributes(), attributes);
  return engine::ReferenceProblem{.op = std::string(op.name()), .attributes = std::move(attributes.bytes())};
}

Result<engine::Problem> problem_of(const ir::Graph& graph, const ir::Node& node) {
  const size_t own = node.in.size() - node.epilogue_operands();
  const Facts in = ir::facts_of(graph, ir::Values(node.in.begin(), node.in.begin() + static_cast<std::ptrdiff_t>(own)));
  if (!node.op.row().problem) return reference_problem(node.op);
  auto made = node.op.row().problem(node.op.attributes(), in, ir::facts_of(graph, node.out));
  if (!made.ok() && made.error().kind() == ErrorKind::unsupported && node.epilogue.empty()) return reference_problem(node.op);
  if (!made.ok()) return std::move(made).error();
  if (Math* math = engine::math_of(*made)) *math = node.math;
  if (node.epilogue.empty()) return made;
  engine::Epilogue* epilogue = engine::epilogue_of(*made);
  TENON_CHECK(epilogue, "{} has an epilogue, its problem takes none", node.op.name());
  epilogue->expr = node.epilogue;
  for (size_t i = own; i < node.in.size(); ++i) epilogue->operands.push_back(graph[node.in[i]].fact.shape());
  return made;
}

std::string origin_text(const ir::Node& node) {
  std::vector<std::string> names;
  for (const ir::Origin& origin : node.origins) names.push_back(origin.name);
  return names.empty() ? std::string(node.op.name()) : join(names, "+");
}

bool Weights::is_static(const ir::Graph& graph, ir::ValueId value) const {
  return graph[value].is_constant() || graph[value].is_root() || prepared_.contains({&graph, value});
}

Result<engine::WeightSource> Weights::source(const ir::Graph& graph, ir::ValueId value) {
  const ir::Value& v = graph[value];
  if (const auto at = prepared_.find({&graph, value}); at != prepared_.end()) return at->second;
  const bool root = v.is_root();
  std::string name = root ? v.root : constant_name(*v.fact.constant);
  const ir::Root* row = root ? module_.find_root(name) : nullptr;
  if (root && !row) return fail("the graph names the root '{}', which the module lacks", name);
  add_blob(blobs_, name, root, root ? row->data : *v.fact.constant);
  return engine::WeightSource{.blob = std::move(name)};
}

Result<bool> Weights::took(const ir::Graph& graph, const ir::Node& node) {
  if (!node.op.row().pure || node.op.row().has_regions) return false;
  bool any = false;
  for (const ir::ValueId in : node.in) {
    if (in == ir::ValueId::none) continue;
    if (!is_static(graph, in)) return false;
    any = true;
  }
  for (const ir::ValueId out : node.out)
    if (!graph[out].fact.type.is_tensor() || !graph[out].fact.shape().constant()) return false;
  if (!any) return false;
  engine::Prep prep{.name = origin_text(node)};
  TENON_TRY(problem, problem_of(graph, node));
  prep.problem = std::move(problem);
  for (const ir::ValueId in : node.in) {
    if (in == ir::ValueId::none) return false;
    TENON_TRY(from, source(graph, in));
    prep.in.push_back(std::move(from));
  }
  for (size_t i = 0; i < node.out.size(); ++i) {
    prep.out.push_back(graph[node.out[i]].fact.type);
    prepared_[{&graph, node.out[i]}] = {"", static_cast<int64_t>(plan_.preps.size()), static_cast<int64_t>(i)};
  }
  plan_.preps.push_back(std::move(prep));
  return true;
}

Result<int64_t> Weights::row(const ir::Graph& graph, ir::ValueId value) {
  TENON_TRY(from, source(graph, value));
  const auto [at, fresh] = rows_.try_emplace({from.blob, {from.prep, from.output}}, static_cast<int64_t>(plan_.weights.size()));
  if (fresh) plan_.weights.push_back(from);
  return at->second;
}

std::string keep_graph(const ir::Module& module, std::vector<engine::Blob>& blobs) {
  ir::Blobs contents;
  std::string text = ir::to_string(module, &contents);
  for (const auto& [hash, tensor] : contents.constants) add_blob(blobs, constant_name(tensor), false, tensor);
  for (const ir::Root& root : module.roots) add_blob(blobs, root.name, true, root.data);
  return text;
}

}  // namespace tenon::lower
