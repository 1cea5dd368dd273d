// Networks and the builder.
#include <nanobind/stl/map.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "bindings.h"

namespace bindings {
namespace {

using InputDims = std::map<std::string, std::vector<int64_t>>;

/// A network with the parser that filled it.
struct ParsedNetwork {
  tenon::Network network;
  std::vector<std::string> errors;

  template <class Parse>
  void parse(const InputDims& dims, nb::object log, Parse&& parse) {
    tenon::OnnxParser parser(network, {.input_dims = {dims.begin(), dims.end()}, .logger = logger_of(std::move(log))});
    const nb::gil_scoped_release unlocked;
    const tenon::Status status = parse(parser);
    errors = parser.errors();
    expect(status);
  }
  void parse_file(const std::string& path, const InputDims& dims, nb::object log) {
    parse(dims, std::move(log), [&](tenon::OnnxParser& parser) { return parser.parse_file(path); });
  }
  void parse_bytes(const nb::bytes& bytes, const std::string& folder, const InputDims& dims, nb::object log) {
    const std::span<const std::byte> view(static_cast<const std::byte*>(bytes.data()), bytes.size());
    parse(dims, std::move(log), [&](tenon::OnnxParser& parser) { return parser.parse(view, folder); });
  }
};

/// progress(stage, share) → False cancels, anything else goes on. What it raises, and Ctrl-C, cancels and is raised by the build.
tenon::HostMemory build(const ParsedNetwork& parsed, const std::vector<std::string>& targets, tenon::Precision precision, bool strict,
                        bool tune, const std::string& timing_cache, const InputDims& opt_dims,
                        const std::vector<std::string>& disabled_passes, nb::object log, nb::object progress) {
  const tenon::Builder builder(logger_of(std::move(log)));
  bool raised = false;
  tenon::BuilderConfig config{.targets = targets,
                              .opt_dims = {opt_dims.begin(), opt_dims.end()},
                              .precision = precision,
                              .strict = strict,
                              .tune = tune,
                              .timing_cache = timing_cache,
                              .disabled_passes = disabled_passes};
  config.progress = [&](std::string_view stage, double share) {
    const nb::gil_scoped_acquire lock;
    try {
      if (PyErr_CheckSignals() != 0) throw nb::python_error();
      return progress.is_none() || !progress(nb::str(stage.data(), stage.size()), share).is(Py_False);
    } catch (nb::python_error& error) {
      error.restore();  // stays set until the build has unwound
      raised = true;
      return false;
    }
  };
  std::optional<tenon::Result<tenon::HostMemory>> result;
  {
    const nb::gil_scoped_release unlocked;
    result = builder.build(parsed.network, config);
  }
  if (raised) throw nb::python_error();
  return take(*std::move(result));
}

}  // namespace

void bind_builder(nb::module_& m) {
  nb::enum_<tenon::Precision>(m, "Precision")
      .value("FP32", tenon::Precision::fp32)
      .value("STRICT_FP32", tenon::Precision::strict_fp32)
      .value("TF32", tenon::Precision::tf32)
      .value("FP16", tenon::Precision::fp16)
      .value("BF16", tenon::Precision::bf16);
  nb::class_<ParsedNetwork>(m, "Network")
      .def(nb::init<>())
      .def("parse_file", &ParsedNetwork::parse_file, nb::arg("path"), nb::arg("input_dims"), nb::arg("log").none())
      .def("parse", &ParsedNetwork::parse_bytes, nb::arg("data"), nb::arg("folder"), nb::arg("input_dims"), nb::arg("log").none())
      .def_ro("errors", &ParsedNetwork::errors)
      .def("inputs", [](const ParsedNetwork& parsed) { return parsed.network.inputs(); })
      .def("outputs", [](const ParsedNetwork& parsed) { return parsed.network.outputs(); })
      .def("layer_count", [](const ParsedNetwork& parsed) { return parsed.network.layer_count(); });
  m.def("build", build, nb::arg("network"), nb::arg("targets"), nb::arg("precision"), nb::arg("strict"), nb::arg("tune"),
        nb::arg("timing_cache"), nb::arg("opt_dims"), nb::arg("disabled_passes"), nb::arg("log").none(), nb::arg("progress").none());
}

}  // namespace bindings
