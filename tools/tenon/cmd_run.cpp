// tenon run: one run of an engine or a model, outputs printed or saved.
#include <algorithm>
#include <filesystem>

#include "base/file.h"
#include "base/hash.h"
#include "base/text.h"
#include "source.h"
#include "value_io.h"

namespace tenon::cli {
namespace {

struct RunOptions {
  Source source;
  std::vector<std::string> inputs;
  uint64_t seed = 0;
  int64_t values = 8, repeat = 1;
  std::string save;
  bool quiet = false;
};

/// The context's inputs as they are set from files.
struct Inputs {
  runtime::Context& context;
  std::vector<bool> given;
  DimValues symbols;

  Result<void> set(size_t index, HostValue value) {
    if (value.kind == HostValue::Kind::tensor) bind_symbols(context.engine().plan().main.inputs[index].type, value.tensor.dims, symbols);
    given[index] = true;
    return context.set_input(index, std::move(value));
  }
};

Result<void> set_from_npz(Inputs& inputs, const std::string& path, std::string_view only) {
  TENON_TRY(file, MappedFile::open(path));
  auto arrays = read_npz(file->bytes());
  if (!arrays.ok()) return std::move(arrays.error()).within(path);
  if (!only.empty() && arrays->size() == 1) (*arrays)[0].first = only;
  bool found = false;
  for (auto& [name, tensor] : *arrays) {
    if (!only.empty() && name != only) continue;
    TENON_TRY(index, inputs.context.input_index(name));
    TENON_TRY(value, adapt(std::move(tensor), inputs.context.engine().plan().main.inputs[index].type, path));
    TENON_OK(inputs.set(index, std::move(value)));
    found = true;
  }
  if (!found) return fail(ErrorKind::not_found, "{}: the archive has no array '{}'", path, only);
  return {};
}

/// A folder in the ONNX test layout: input_0.pb, input_1.pb, …
Result<void> set_from_folder(Inputs& inputs, const std::string& folder) {
  const auto& ports = inputs.context.engine().plan().main.inputs;
  for (size_t i = 0; i < ports.size(); ++i) {
    const auto path = std::filesystem::path(folder) / strf("input_{}.pb", i);
    if (!std::filesystem::exists(path)) continue;
    TENON_TRY(value, read_input(path.string(), ports[i].type));
    TENON_OK(inputs.set(i, std::move(value)));
  }
  return {};
}

/// "name=file", or a file that says its names itself (.npz, .pb), or a folder of a test data set.
Result<void> set_input(Inputs& inputs, const std::string& text) {
  const auto& ports = inputs.context.engine().plan().main.inputs;
  std::string name, path = text;
  for (const engine::Port& port : ports)
    if (text.starts_with(port.name + "=") && port.name.size() >= name.size()) name = port.name;
  if (!name.empty()) path = text.substr(name.size() + 1);
  if (name.empty() && std::filesystem::is_directory(text)) return set_from_folder(inputs, text);
  if (path.ends_with(".npz") && (!name.empty() || std::filesystem::exists(path))) return set_from_npz(inputs, path, name);
  if (name.empty() && text.ends_with(".pb") && std::filesystem::exists(text)) {
    TENON_OK(read_proto(text, onnx::TypeView::Kind::tensor, &name));
  }
  if (name.empty()) {
    const size_t at = text.find('=');
    if (at == std::string::npos) return fail("--input wants name=FILE, an .npz file or a folder of a test data set, got '{}'", text);
    name = text.substr(0, at);
  }
  TENON_TRY(index, inputs.context.input_index(name));
  TENON_TRY(value, read_input(path, ports[index].type));
  return inputs.set(index, std::move(value));
}

/// Of all bits of a value and of its shape.
uint64_t hash_value(const HostValue& value, uint64_t hash) {
  hash = hash_text(value_text(value, 0), hash);
  if (value.tensor.dtype == DType::str) {
    for (const std::string& s : value.tensor.as<std::string>()) hash = hash_text(s, hash);
  } else if (value.tensor.data) {
    hash = hash_bytes(value.tensor.view(), hash);
  }
  for (const HostValue& item : value.items) hash = hash_value(item, hash);
  return hash;
}

/// What runs one after another gave: a hash of all outputs for each set of inputs, and the runs whose bits were others.
struct Repeats {
  int64_t different = 0;
  std::vector<std::string> hashes;
};

/// Random inputs change from run to run: what a step reads too early, an older run's value, is then another.
Result<Repeats> repeat(runtime::Context& context, const Inputs& inputs, const Shapes& shapes, const RunOptions& options) {
  constexpr int64_t kSets = 4;
  Repeats out;
  for (int64_t i = 0; i < options.repeat; ++i) {
    const auto set = static_cast<size_t>(i % kSets);
    auto made = fill_inputs(context, inputs.given, shapes, inputs.symbols, options.seed + set);
    if (!made.ok()) return std::move(made).error();
    TENON_OK(context.run());
    uint64_t hash = 0;
    for (size_t k = 0; k < context.engine().plan().main.outputs.size(); ++k) hash = hash_value(context.output(k), hash);
    const std::string text = strf("{:016x}", hash);
    if (out.hashes.size() <= set) out.hashes.push_back(text);
    if (out.hashes[set] != text) ++out.different;
  }
  return out;
}

Result<int> run_repeated(runtime::Context& context, const Inputs& inputs, const Shapes& shapes, const RunOptions& options, bool json) {
  TENON_TRY(repeats, repeat(context, inputs, shapes, options));
  if (json) {
    print_json({{"target", context.engine().plan().target},
                {"runs", options.repeat},
                {"different", repeats.different},
                {"hashes", repeats.hashes}});
  } else if (!options.quiet) {
    say("{} runs, {} of them with other bits than the first of the same inputs\n", options.repeat, repeats.different);
    for (const std::string& hash : repeats.hashes) say("outputs {}\n", hash);
  }
  return repeats.different == 0 ? kOk : kFailed;
}

Result<int> run_engine(const RunOptions& options, bool json) {
  TENON_TRY(shapes, parse_shapes(options.source.shapes));
  if (options.repeat > 1 && !options.save.empty()) return fail("--repeat and --save-outputs exclude each other");
  Source source = options.source;
  source.quiet = options.quiet || json;
  TENON_TRY(engine, open_engine(source));
  TENON_TRY(context, runtime::Context::create(engine));
  const engine::Body& body = engine->plan().main;
  Inputs inputs{*context, std::vector<bool>(body.inputs.size()), {}};
  for (const std::string& text : options.inputs) TENON_OK(set_input(inputs, text));
  TENON_TRY(made, fill_inputs(*context, inputs.given, shapes, inputs.symbols, options.seed));
  if (!source.quiet)
    for (const std::string& line : made) note("{} ({})", line, kRandomRule);

  if (options.repeat > 1) return run_repeated(*context, inputs, shapes, options, json);
  const double start = seconds_now();
  TENON_OK(context->run());
  const double seconds = seconds_now() - start;
  std::vector<std::pair<std::string, HostValue>> outputs;
  for (size_t i = 0; i < body.outputs.size(); ++i) outputs.emplace_back(body.outputs[i].name, context->output(i));
  std::vector<std::string> files;
  if (!options.save.empty()) {
    TENON_TRY(saved, save_values(options.save, outputs));
    files = std::move(saved);
  }
  if (json) {
    Json list = Json::array();
    for (const auto& [name, value] : outputs) {
      Json row = {{"name", name}};
      row.update(value_json(value, options.values));
      list.push_back(std::move(row));
    }
    print_json(
        {{"target", engine->plan().target}, {"seconds", seconds}, {"outputs", std::move(list)}, {"random_inputs", made}, {"saved", files}});
    return kOk;
  }
  if (options.quiet) return kOk;
  for (const auto& [name, value] : outputs) say("{}: {}\n", name, value_text(value, options.values));
  for (const std::string& file : files) say("saved {}\n", file);
  return kOk;
}

}  // namespace

void add_run(CLI::App& app, Outcome& outcome) {
  const auto options = std::make_shared<RunOptions>();
  Verb verb(app, outcome, "run", "run an engine, or a model that is built in memory, and show its outputs",
            "tenon run model.engine --input image=cat.npy --save-outputs out.npz",
            [options, &outcome] { return run_engine(*options, outcome.json); });
  verb.option("file", &options->source.path, "an engine or an ONNX file", {.required = true});
  verb.option("--input", &options->inputs,
              "name=FILE (.npy, .npz, .pb), an .npz file, or a folder with input_0.pb …; inputs without one are random");
  verb.option("--seed", &options->seed, "of the random inputs");
  verb.option("--repeat", &options->repeat,
              "so many runs, random inputs of four seeds in turn: fails if the bits of an output change; prints a hash for each seed",
              {.least = 1, .most = 1000000});
  verb.option("--values", &options->values, "how many values of each output to show");
  verb.option("--save-outputs", &options->save, "an .npz file, or a folder for one .npy file per output");
  verb.option("-q,--quiet", &options->quiet, "print nothing but errors");
  options->source.add_options(verb);
}

}  // namespace tenon::cli
