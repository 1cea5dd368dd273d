// tenon-run: runs an engine with the runtime library alone, through its public header. What it can do, a deployed program can.
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "tensor_file.h"

namespace {

using tenon::DType;
using tenon::Error;
using tenon::ErrorKind;
using tenon::Result;
using tenon::Status;
using tenon_run::FileTensor;

constexpr const char* kUsage =
    "usage: tenon-run ENGINE [options]\n"
    "\n"
    "  --info                show inputs, outputs, targets and memory, do not run\n"
    "  --input NAME=FILE     a tensor as ONNX protobuf (.pb) or as raw bytes; inputs without a file are zero\n"
    "  --iterations N        run so often and show the mean time\n"
    "  --check FOLDER        run input_0.pb … of the folder and compare with output_0.pb …\n"
    "  --rtol X --atol X     tolerance of --check (1e-3 and 1e-5)\n"
    "  --target NAME         the plan to run (default: the best of the file)\n"
    "  --device NAME         where to run: cpu, cuda (the first GPU), cuda:1 (default: the best that the file has a plan for)\n"
    "\n"
    "example: tenon-run model.engine --check test_data_set_0\n"
    "Exit codes: 0 done, 1 the job failed, 2 wrong usage.\n";

struct Options {
  std::string engine, target, device, check;
  std::vector<std::string> inputs;
  int64_t iterations = 1;
  double rtol = 1e-3, atol = 1e-5;
  bool info = false, help = false;
};

Error usage(std::string message) { return {ErrorKind::invalid_argument, std::move(message)}; }

Result<Options> parse(int argc, char** argv) {
  Options out;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if (word == "--help" || word == "-h") {
      out.help = true;
      return out;
    }
    if (word == "--info") {
      out.info = true;
      continue;
    }
    if (!word.starts_with("-")) {
      if (!out.engine.empty()) return usage("more than one engine: " + word);
      out.engine = word;
      continue;
    }
    if (++i >= argc) return usage(word + " wants a value, or is unknown");
    const std::string value = argv[i];
    char* end = nullptr;
    if (word == "--input") {
      out.inputs.push_back(value);
    } else if (word == "--target") {
      out.target = value;
    } else if (word == "--device") {
      out.device = value;
    } else if (word == "--check") {
      out.check = value;
    } else if (word == "--iterations") {
      out.iterations = std::strtoll(value.c_str(), &end, 10);
      if (*end || out.iterations < 1) return usage("--iterations wants a number above 0, got " + value);
    } else if (word == "--rtol" || word == "--atol") {
      (word == "--rtol" ? out.rtol : out.atol) = std::strtod(value.c_str(), &end);
      if (*end) return usage(word + " wants a number, got " + value);
    } else {
      return usage("unknown option " + word);
    }
  }
  if (out.engine.empty()) return usage("which engine?");
  return out;
}

float half_to_float(uint16_t bits) {
  const int exponent = (bits >> 10) & 31, mantissa = bits & 1023;
  const double sign = bits & 0x8000 ? -1 : 1;
  if (exponent == 31) return mantissa ? NAN : static_cast<float>(sign * INFINITY);
  return static_cast<float>(sign * (exponent ? std::ldexp(1024 + mantissa, exponent - 25) : std::ldexp(mantissa, -24)));
}

/// An element as a number; complex numbers have two. Types that are narrower than a byte are shown as their bytes.
double element(DType dtype, const std::byte* data, size_t i) {
  const auto as = [&](auto zero) {
    std::memcpy(&zero, data + i * sizeof zero, sizeof zero);
    return static_cast<double>(zero);
  };
  switch (dtype) {
    case DType::f32:
    case DType::c64: return as(float{});
    case DType::f64:
    case DType::c128: return as(double{});
    case DType::i8: return as(int8_t{});
    case DType::i16: return as(int16_t{});
    case DType::u16: return as(uint16_t{});
    case DType::i32: return as(int32_t{});
    case DType::u32: return as(uint32_t{});
    case DType::i64: return as(int64_t{});
    case DType::u64: return as(uint64_t{});
    case DType::f16: {
      uint16_t bits = 0;
      std::memcpy(&bits, data + i * 2, 2);
      return half_to_float(bits);
    }
    case DType::bf16: {
      uint16_t bits = 0;
      std::memcpy(&bits, data + i * 2, 2);
      const uint32_t wide = static_cast<uint32_t>(bits) << 16;
      float out = 0;
      std::memcpy(&out, &wide, 4);
      return out;
    }
    default: return as(uint8_t{});
  }
}

bool is_float(DType dtype) {
  return dtype == DType::f32 || dtype == DType::f64 || dtype == DType::f16 || dtype == DType::bf16 || dtype == DType::c64 ||
         dtype == DType::c128;
}

/// Of numbers as element() counts them.
size_t count_of(DType dtype, size_t bytes) {
  const auto bits = static_cast<size_t>(tenon_dtype_bits(static_cast<tenon_dtype>(dtype)));
  const size_t width = dtype == DType::c64 || dtype == DType::c128 ? bits / 16 : bits < 8 ? 1 : bits / 8;
  return width ? bytes / width : 0;
}

std::string dims_text(std::span<const int64_t> dims) {
  std::string out = "[";
  for (size_t i = 0; i < dims.size(); ++i) out += (i ? ", " : "") + std::to_string(dims[i]);
  return out + "]";
}

std::string compare(const tenon::TensorView& got, const FileTensor& wanted, const Options& options) {
  if (got.dtype != wanted.dtype) return std::string("type: got ") + to_string(got.dtype) + ", wanted " + to_string(wanted.dtype);
  if (!std::equal(got.dims.begin(), got.dims.end(), wanted.dims.begin(), wanted.dims.end()))
    return "shape: got " + dims_text(got.dims) + ", wanted " + dims_text(wanted.dims);
  const auto* bytes = static_cast<const std::byte*>(got.data);
  for (size_t i = 0; i < count_of(got.dtype, got.bytes); ++i) {
    const double a = element(got.dtype, bytes, i), b = element(got.dtype, wanted.data.data(), i);
    if (a == b || (std::isnan(a) && std::isnan(b))) continue;
    if (is_float(got.dtype) && std::isfinite(a) && std::isfinite(b) && std::abs(a - b) <= options.atol + options.rtol * std::abs(b))
      continue;
    return "element " + std::to_string(i) + ": got " + std::to_string(a) + ", wanted " + std::to_string(b);
  }
  return {};
}

void print_info(const tenon::Engine& engine) {
  for (const tenon::TensorInfo& port : engine.inputs()) std::printf("input  %s: %s\n", port.name.c_str(), port.type.c_str());
  for (const tenon::TensorInfo& port : engine.outputs()) std::printf("output %s: %s\n", port.name.c_str(), port.type.c_str());
  std::string targets;
  for (const std::string& target : engine.targets()) targets += (targets.empty() ? "" : ", ") + target;
  std::printf("target %s, the file has: %s\n%zu weights\n", engine.target().c_str(), targets.c_str(), engine.weights().size());
}

/// The data of an input: from "NAME=FILE", or zeros of the port's shape with 1 for dims that are free.
Result<FileTensor> input_data(const tenon::TensorInfo& port, const Options& options) {
  std::string file;
  for (const std::string& text : options.inputs)
    if (text.starts_with(port.name + "=")) file = text.substr(port.name.size() + 1);
  if (file.ends_with(".pb")) return tenon_run::read_tensor(file);
  FileTensor out{.name = port.name, .dtype = port.dtype, .dims = port.dims, .data = {}};
  if (port.dtype == DType::none || !port.has_rank) return usage("input '" + port.name + "' is " + port.type + ": give it as a .pb file");
  for (int64_t& dim : out.dims) dim = dim < 0 ? 1 : dim;
  auto bytes = tenon_run::bytes_of(out.dtype, out.dims);
  if (!bytes) return bytes.error();
  out.data.resize(*bytes);
  if (file.empty()) {
    std::fprintf(stderr, "tenon-run: input '%s' is zero, %s\n", port.name.c_str(), dims_text(out.dims).c_str());
    return out;
  }
  auto raw = tenon_run::read_bytes(file);
  if (!raw) return raw.error();
  if (raw->size() != *bytes)
    return usage("input '" + port.name + "' takes " + std::to_string(*bytes) + " bytes, " + file + " has " + std::to_string(raw->size()));
  out.data = std::move(*raw);
  return out;
}

Status run(tenon::ExecutionContext& context, const Options& options) {
  const auto start = std::chrono::steady_clock::now();
  for (int64_t i = 0; i < options.iterations; ++i)
    if (const Status done = context.run(); !done) return done.error();
  const std::chrono::duration<double, std::milli> passed = std::chrono::steady_clock::now() - start;
  if (options.iterations > 1)
    std::printf("%lld runs, mean %.4f ms\n", static_cast<long long>(options.iterations),
                passed.count() / static_cast<double>(options.iterations));
  return {};
}

void print_output(const std::string& name, const Result<tenon::TensorView>& output) {
  if (!output) {
    std::printf("%s: %s\n", name.c_str(), output.error().message.c_str());
    return;
  }
  std::printf("%s: %s%s", name.c_str(), to_string(output->dtype), dims_text(output->dims).c_str());
  const size_t count = output->data ? count_of(output->dtype, output->bytes) : 0;
  for (size_t i = 0; i < count && i < 8; ++i) std::printf(" %.6g", element(output->dtype, static_cast<const std::byte*>(output->data), i));
  std::printf("%s\n", count > 8 ? " …" : "");
}

Status execute(const Options& options) {
  const tenon::Runtime runtime;
  auto engine = runtime.load(options.engine, {.target = options.target, .device = options.device});
  if (!engine) return engine.error();
  if (options.info) print_info(*engine);
  auto context = engine->create_context();
  if (!context) return context.error();
  for (const std::string& text : options.inputs) {  // a name that no input has is a mistake to report
    bool known = false;
    for (const tenon::TensorInfo& port : engine->inputs()) known = known || text.starts_with(port.name + "=");
    if (!known) return usage("--input " + text + ": the engine has no such input");
  }

  const std::vector<tenon::TensorInfo> inputs = engine->inputs(), outputs = engine->outputs();
  std::vector<FileTensor> data;
  for (size_t i = 0; i < inputs.size(); ++i) {
    auto tensor = options.check.empty() ? input_data(inputs[i], options)
                                        : tenon_run::read_tensor(options.check + "/input_" + std::to_string(i) + ".pb");
    if (!tensor) return tensor.error();
    data.push_back(std::move(*tensor));
  }
  for (size_t i = 0; i < inputs.size(); ++i)
    if (const Status set = context->set_input(inputs[i].name, data[i].dtype, data[i].dims, data[i].data.data()); !set) return set.error();
  if (options.info) {
    const auto memory = context->memory();
    if (!memory) return memory.error();
    std::printf("%lld bytes of intermediate results for these shapes\n", static_cast<long long>(*memory));
    return {};
  }
  if (const Status done = run(*context, options); !done) return done.error();
  for (size_t i = 0; i < outputs.size(); ++i) {
    const auto output = context->output(outputs[i].name);
    print_output(outputs[i].name, output);
    const std::string file = options.check + "/output_" + std::to_string(i) + ".pb";
    if (options.check.empty() || !std::filesystem::exists(file)) continue;
    const auto wanted = tenon_run::read_tensor(file);
    if (!wanted) return wanted.error();
    if (!output) return output.error();
    if (const std::string difference = compare(*output, *wanted, options); !difference.empty())
      return Error{ErrorKind::invalid_argument, "output '" + outputs[i].name + "' differs: " + difference};
  }
  if (!options.check.empty()) std::printf("the outputs are as stored\n");
  return {};
}

}  // namespace

int main(int argc, char** argv) {
  const auto options = parse(argc, argv);
  if (!options) {
    std::fprintf(stderr, "%stenon-run: error: %s\n", kUsage, options.error().message.c_str());
    return 2;
  }
  if (options->help) {
    std::fputs(kUsage, stdout);
    return 0;
  }
  const Status done = execute(*options);
  std::fflush(stdout);
  if (!done) std::fprintf(stderr, "tenon-run: error: %s\n", done.error().message.c_str());
  return done ? 0 : 1;
}
