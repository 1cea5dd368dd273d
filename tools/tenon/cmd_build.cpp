// tenon build: ONNX file → engine file.
#include <filesystem>

#include "base/file.h"
#include "base/text.h"
#include "source.h"

namespace tenon::cli {
namespace {

struct BuildVerbOptions {
  Source source;
  std::string output;
};

Result<int> run_build(const BuildVerbOptions& options, bool json) {
  const std::string output =
      options.output.empty() ? std::filesystem::path(options.source.path).replace_extension(".engine").string() : options.output;
  const double start = seconds_now();
  TENON_TRY(bytes, build(options.source));
  TENON_OK(write_file(output, bytes));
  const double seconds = seconds_now() - start;
  if (json) {
    print_json({{"engine", output}, {"bytes", bytes.size()}, {"seconds", seconds}});
  } else {
    say("{}: {} in {:.2f} s\n", output, bytes_text(bytes.size()), seconds);
  }
  return kOk;
}

}  // namespace

void add_build(CLI::App& app, Outcome& outcome) {
  const auto options = std::make_shared<BuildVerbOptions>();
  Verb verb(app, outcome, "build", "build an engine from an ONNX file", "tenon build model.onnx -o model.engine --shape input=1x3x224x224",
            [options, &outcome] { return run_build(*options, outcome.json); });
  verb.option("model", &options->source.path, "the ONNX file", {.required = true});
  verb.option("-o,--output", &options->output, "the engine file (default: the model's name, ending in .engine)");
  options->source.add_options(verb);
}

}  // namespace tenon::cli
