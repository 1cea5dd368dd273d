#include "test_case.h"

#include <algorithm>
#include <filesystem>
#include <set>

#include "base/file.h"
#include "value_io.h"

namespace tenon::cli {
namespace {

namespace fs = std::filesystem;

/// Files stem_0.pb, stem_1.pb … or folders stem_0 … up to the first number that is missing.
std::vector<fs::path> numbered(const fs::path& folder, std::string_view stem, std::string_view ending) {
  std::vector<fs::path> out;
  while (true) {
    fs::path next = folder / strf("{}_{}{}", stem, out.size(), ending);
    std::error_code status;
    if (!fs::exists(next, status)) return out;
    out.push_back(std::move(next));
  }
}

/// The graph's inputs that a caller gives: before IR version 4 the list also has the initializers.
std::vector<const onnx::ValueView*> given_inputs(const onnx::Model& model) {
  std::set<std::string_view> constants;
  for (const onnx::TensorView& tensor : model.graph.initializers) constants.insert(tensor.name);
  for (const onnx::SparseTensorView& tensor : model.graph.sparse_initializers) constants.insert(tensor.values.name);
  std::vector<const onnx::ValueView*> out;
  for (const onnx::ValueView& input : model.graph.inputs)
    if (!constants.contains(input.name)) out.push_back(&input);
  return out;
}

/// Nothing, or what is wrong with the outputs.
Result<void> run_data_set(const onnx::Model& model, runtime::Context& context, const fs::path& folder, const Tolerance& tolerance) {
  const auto inputs = given_inputs(model);
  const auto input_files = numbered(folder, "input", ".pb"), output_files = numbered(folder, "output", ".pb");
  if (input_files.size() > inputs.size()) return fail("{} input files, but the model has {} inputs", input_files.size(), inputs.size());
  if (output_files.size() > model.graph.outputs.size())
    return fail("{} output files, but the model has {} outputs", output_files.size(), model.graph.outputs.size());
  if (output_files.empty()) return fail("the data set has no outputs");
  for (size_t i = 0; i < input_files.size(); ++i) {
    TENON_TRY(value, read_proto(input_files[i].string(), inputs[i]->type.kind));
    TENON_TRY(index, context.input_index(inputs[i]->name));
    TENON_OK(context.set_input(index, std::move(value)));
  }
  TENON_OK(context.run());
  for (size_t i = 0; i < output_files.size(); ++i) {
    const onnx::ValueView& output = model.graph.outputs[i];
    TENON_TRY(wanted, read_proto(output_files[i].string(), output.type.kind));
    if (const auto difference = first_difference(context.output(i), wanted, tolerance))
      return fail("output {} '{}': {}", i, output.name, *difference);
  }
  return {};
}

Result<bool> try_case(const TestCase& test, const Source& source, const Tolerance& tolerance) {
  const auto sets = numbered(test.folder, "test_data_set", "");
  if (sets.empty()) return false;
  TENON_TRY(model, onnx::read_model_file(source.path));
  TENON_TRY(engine, open_engine(source));
  if (engine->plan().main.outputs.size() != model.graph.outputs.size())
    return fail("the engine has {} outputs, the model {}", engine->plan().main.outputs.size(), model.graph.outputs.size());
  TENON_TRY(context, runtime::Context::create(engine));
  for (const fs::path& set : sets) {
    auto done = run_data_set(model, *context, set, tolerance);
    if (!done.ok()) return sets.size() == 1 ? std::move(done).error() : std::move(done.error()).within(set.filename().string());
  }
  return true;
}

}  // namespace

Result<std::vector<TestCase>> find_cases(const std::string& root) {
  std::error_code status;
  if (!fs::is_directory(root, status)) return fail(ErrorKind::not_found, "'{}' is no folder", root);
  const fs::path base = fs::path(root).lexically_normal();
  if (fs::exists(base / "model.onnx", status)) {
    const fs::path shown = base.has_filename() ? base.filename() : base.parent_path().filename();
    return std::vector<TestCase>{{shown.string(), base.string()}};
  }
  std::vector<TestCase> out;
  for (auto at = fs::recursive_directory_iterator(base, fs::directory_options::skip_permission_denied, status);
       at != fs::recursive_directory_iterator(); at.increment(status)) {
    if (status) return fail(ErrorKind::io, "cannot list '{}': {}", root, status.message());
    if (at->path().filename() != "model.onnx") continue;
    const fs::path folder = at->path().parent_path();
    out.push_back({folder.lexically_relative(base).string(), folder.string()});
  }
  if (out.empty()) return fail(ErrorKind::not_found, "no folder below '{}' holds a model.onnx", root);
  std::sort(out.begin(), out.end(), [](const TestCase& a, const TestCase& b) { return a.name < b.name; });
  return out;
}

TestResult run_case(const TestCase& test, Source source, const Tolerance& tolerance) {
  const double start = seconds_now();
  source.path = (fs::path(test.folder) / "model.onnx").string();
  source.quiet = true;
  const auto outcome = try_case(test, source, tolerance);
  TestResult out{.verdict = Verdict::pass, .seconds = seconds_now() - start};
  if (!outcome.ok()) {
    out.verdict = Verdict::fail;
    out.message = outcome.error().message();
    const std::string prefix = strf("building '{}': ", source.path);
    if (out.message.starts_with(prefix)) out.message = "building: " + out.message.substr(prefix.size());
  } else if (!*outcome) {
    out.verdict = Verdict::skip;
    out.message = "no test_data_set_0";
  }
  return out;
}

}  // namespace tenon::cli
