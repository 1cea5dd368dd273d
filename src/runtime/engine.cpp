#include "runtime/engine.h"

#include <algorithm>
#include <atomic>
#include <charconv>
#include <set>

#include "backends/cpu/device/cpu_device.h"
#include "backends/cuda/device/cuda_device.h"
#include "backends/mock/device/mock_device.h"
#include "base/file.h"
#include "engine/device_facts.h"
#include "engine/reference_api.h"

namespace tenon::runtime {
namespace {

/// (row, space) of every weight buffer of a body and of the bodies in it.
void collect_weights(const engine::Body& body, std::set<std::pair<int64_t, int64_t>>& out) {
  for (const engine::Buffer& buffer : body.buffers)
    if (buffer.kind == engine::BufferKind::weight) out.insert({buffer.index, buffer.space});
  for (const engine::Segment& segment : body.segments)
    for (const engine::Region& region : segment.region)
      for (const engine::Body& inner : region.bodies) collect_weights(inner, out);
}

std::array<const engine::DeviceApi*, 3> device_apis() { return {&cpu::device_api(), &mock::device_api(), &cuda::device_api()}; }

/// What a plan's code is for; empty: it has none.
std::string_view arch_of(const engine::Plan& plan) { return plan.modules.empty() ? std::string_view() : plan.modules[0].arch; }

/// The devices of a plan, for messages: "cpu", "cpu + cuda".
std::string devices_text(const engine::Plan& plan) { return join(plan.devices, " + "); }

/// Whether the plan's devices are there and run its code.
Result<void> check_devices(const engine::Plan& plan, const std::optional<DeviceChoice>& wanted) {
  for (const std::string& device : plan.devices) {
    const engine::DeviceApi* api = find_device_api(device);
    if (!api) return fail(ErrorKind::not_found, "this build has no device '{}'", device);
    TENON_OK(api->check(api->code ? arch_of(plan) : "", wanted ? wanted->index : 0));
  }
  if (wanted && find_device_api(plan.devices.back())->kind != wanted->kind)
    return fail(ErrorKind::not_found, "it runs on {}, {} is wanted", devices_text(plan), device_text(*wanted));
  return {};
}

void announce_ptx(const engine::Plan& plan, const Log& log) {
  if (engine::is_ptx(arch_of(plan)))
    log(Severity::warning,
        "the plan for '{}' runs: the driver compiles its kernels now, and they are slower than those for one GPU; build the engine for "
        "this GPU's architecture, where Tenon knows it",
        plan.target);
}

/// A driver takes PTX up to the zero behind it, and code by what its headers say: the bytes are what the plan says they are.
Result<void> check_code(const engine::CodeModule& module, ByteView bytes) {
  constexpr std::string_view kElf =
      "\x7f"
      "ELF";
  const bool elf = bytes.size() > kElf.size() && text_of(bytes.first(kElf.size())) == kElf;
  const bool text = !bytes.empty() && !elf && bytes.back() == std::byte{0};
  if (engine::is_ptx(module.arch) ? text : elf) return {};
  return fail(ErrorKind::bad_engine, "the code '{}' is none for '{}'", module.blob, module.arch);
}

std::vector<std::string> find_host_steps(const engine::Body& body) {
  std::vector<std::string> out;
  for (const engine::Segment& segment : body.segments) {
    for (const engine::Step& step : segment.steps)
      if (step.device == 0) out.push_back(step.name);
    for (const engine::Region& region : segment.region) out.push_back(region.name);
  }
  return out;
}

}  // namespace

const engine::DeviceApi* find_device_api(std::string_view name) {
  for (const engine::DeviceApi* api : device_apis())
    if (api->name == name) return api;
  return nullptr;
}

Result<DeviceChoice> parse_device(std::string_view text) {
  const size_t colon = text.find(':');
  const std::string_view name = text.substr(0, colon);
  DeviceChoice out;
  const engine::DeviceApi* api = find_device_api(name);
  if (!api) return fail(ErrorKind::not_found, "there is no device '{}', there are: cpu, cuda, cuda:N", text);
  out.kind = api->kind;
  if (colon == std::string_view::npos) return out;
  const std::string_view number = text.substr(colon + 1);
  const auto [end, status] = std::from_chars(number.data(), number.data() + number.size(), out.index);
  if (status != std::errc() || end != number.data() + number.size() || out.index < 0)
    return fail("the device '{}' has no number behind its colon", text);
  if (api->host_memory && out.index != 0) return fail(ErrorKind::not_found, "there is no device '{}', the host is one: cpu", text);
  return out;
}

std::string device_text(const DeviceChoice& device) {
  for (const engine::DeviceApi* api : device_apis())
    if (api->kind == device.kind) return api->host_memory ? std::string(api->name) : strf("{}:{}", api->name, device.index);
  return strf("device {}:{}", static_cast<int>(device.kind), device.index);
}

WeightSet::~WeightSet() {
  for (const DeviceMemory& memory : device_memory_) memory.api->release(memory.queue, memory.memory);
}

Result<std::shared_ptr<Engine>> Engine::load_file(const std::string& path, const LoadOptions& options) {
  TENON_TRY(file, MappedFile::open(path));
  auto engine = load(file->bytes(), file, options);
  if (!engine.ok()) return std::move(engine.error()).within(strf("loading '{}'", path));
  return engine;
}

Result<std::shared_ptr<Engine>> Engine::load(ByteView bytes, std::shared_ptr<const void> keep_alive, const LoadOptions& options) {
  std::vector<engine::StalePlan> stale;
  TENON_TRY(image, engine::read_engine(bytes, std::move(keep_alive), {.verify_weights = options.verify_weights}, &stale));
  auto out = std::shared_ptr<Engine>(new Engine);
  out->image_ = std::move(image);
  TENON_OK(out->choose_plan(options, stale));
  for (const std::string& name : out->plan_->devices) {
    const engine::DeviceApi* api = find_device_api(name);
    TENON_TRY(queue, api->open(out->choice_.index));
    out->devices_.push_back(api);
    out->queues_.push_back(queue);
  }
  if (out->has_device()) out->host_steps_ = find_host_steps(out->plan_->main);
  TENON_OK(out->load_modules());
  TENON_OK(out->resolve_kernels(out->plan_->main));
  TENON_TRY(weights, out->make_weights());
  out->weights_ = std::move(weights);
  return out;
}

Engine::~Engine() {
  weights_.reset();
  for (void* module : modules_) devices_.back()->code->unload(queues_.back(), module);
  for (size_t i = 0; i < queues_.size(); ++i) devices_[i]->close(queues_[i]);
}

Result<void> Engine::choose_plan(const LoadOptions& options, const std::vector<engine::StalePlan>& stale) {
  std::optional<DeviceChoice> wanted;
  if (!options.device.empty()) {
    TENON_TRY(device, parse_device(options.device));
    wanted = device;
  }
  const auto choose = [&](const engine::Plan& plan) {
    plan_ = &plan;
    choice_ = {find_device_api(plan.devices.back())->kind, wanted ? wanted->index : 0};
    announce_ptx(plan, options.log);
  };
  for (const engine::StalePlan& plan : stale)
    options.log(Severity::warning, "the plan for '{}' is not used: {}; another plan of the file runs instead", plan.target, plan.why);
  if (!options.target.empty()) {
    const engine::Plan* plan = image_.find_plan(options.target);
    if (!plan) {
      std::vector<std::string> names;
      for (const engine::Plan& known : image_.plans) names.push_back(known.target);
      return fail(ErrorKind::not_found, "the engine has no plan for '{}', it has: {}", options.target, join(names, ", "));
    }
    auto there = check_devices(*plan, wanted);
    if (!there.ok()) return std::move(there.error()).within(strf("the plan for '{}'", options.target));
    choose(*plan);
    return {};
  }
  // PTX is a last resort: code that was made for the GPU goes first wherever it stands.
  const auto has_code = [&](const engine::Plan& plan) {
    return !plan.modules.empty() && !engine::is_ptx(arch_of(plan)) && check_devices(plan, wanted).ok();
  };
  const bool wants_ptx = std::none_of(image_.plans.begin(), image_.plans.end(), has_code);
  std::vector<std::string> refusals;
  for (const engine::Plan& plan : image_.plans) {  // in the file's order: the builder puts the best first
    if (engine::is_ptx(arch_of(plan)) && !wants_ptx) continue;
    const auto there = check_devices(plan, wanted);
    if (there.ok()) {
      choose(plan);
      return {};
    }
    options.log(Severity::info, "the plan for '{}' is not used: {}", plan.target, there.error().message());
    refusals.push_back(strf("'{}': {}", plan.target, there.error().message()));
  }
  if (wanted) return fail(ErrorKind::not_found, "the engine has no plan that runs on {}: {}", device_text(*wanted), join(refusals, "; "));
  return fail(ErrorKind::not_found, "no plan of the engine runs on this machine");
}

Result<void> Engine::load_modules() {
  if (plan_->modules.empty()) return {};
  const engine::CodeApi* code = devices_.back()->code;
  if (!code) return fail(ErrorKind::bad_engine, "the plan has code for '{}', which runs none", devices_.back()->name);
  for (const engine::CodeModule& module : plan_->modules) {
    const engine::Blob* blob = image_.find_blob(module.blob);
    if (!blob) return fail(ErrorKind::bad_engine, "the plan wants the code '{}', which the file lacks", module.blob);
    TENON_OK(check_code(module, blob->data.view()));
    TENON_TRY(loaded, code->load(queues_.back(), blob->data.view()));
    modules_.push_back(loaded);
  }
  return {};
}

Result<StepKernel> Engine::resolve(const engine::Step& step, const engine::Kernel& kernel) const {
  StepKernel out;
  if (step.problem.as<engine::TransferProblem>()) return out;  // the device's own copy
  const auto device = static_cast<size_t>(step.device);
  if (kernel.launches.size() == 1 && kernel.launches[0].code.module < 0) {
    TENON_TRY(fn, devices_[device]->resolve(kernel.launches[0].code));
    out.fn = fn;
    return out;
  }
  if (device + 1 != devices_.size() || kernel.launches.empty())
    return fail(ErrorKind::bad_engine, "step '{}' has {} launches", step.name, kernel.launches.size());
  for (const engine::Launch& launch : kernel.launches) {
    if (launch.code.module < 0 || launch.code.module >= static_cast<int64_t>(modules_.size()))
      return fail(ErrorKind::bad_engine, "step '{}' names module {} of {}", step.name, launch.code.module, modules_.size());
    TENON_TRY(function, devices_[device]->code->function(queues_[device], modules_[static_cast<size_t>(launch.code.module)], launch.code));
    out.functions.push_back(function);
  }
  return out;
}

Result<void> Engine::resolve_kernels(const engine::Body& body) {
  for (const engine::Segment& segment : body.segments) {
    for (const engine::Step& step : segment.steps)
      for (const engine::Variant& variant : step.variants) {
        TENON_TRY(kernel, resolve(step, variant.kernel));
        kernels_[&step].push_back(std::move(kernel));
      }
    for (const engine::Region& region : segment.region)
      for (const engine::Body& inner : region.bodies) TENON_OK(resolve_kernels(inner));
  }
  return {};
}

Result<std::shared_ptr<WeightSet>> Engine::make_weights() const {
  static std::atomic<uint64_t> serial{0};
  auto out = std::make_shared<WeightSet>();
  out->serial_ = ++serial;
  std::unordered_map<std::string_view, const Tensor*> blobs;
  for (const engine::Blob& blob : image_.blobs) blobs.emplace(blob.name, &blob.data);
  std::vector<std::vector<HostValue>> prepared(plan_->preps.size());
  const auto find = [&](const engine::WeightSource& source) -> Result<Tensor> {
    if (source.prep >= 0) return prepared[static_cast<size_t>(source.prep)][static_cast<size_t>(source.output)].tensor;
    const auto at = blobs.find(source.blob);
    if (at == blobs.end()) return fail(ErrorKind::bad_engine, "the plan wants the blob '{}', which the file lacks", source.blob);
    return *at->second;
  };
  for (size_t i = 0; i < plan_->preps.size(); ++i) {
    const engine::Prep& prep = plan_->preps[i];
    if (prep.pack != "problem" || prep.version != 1)
      return fail(ErrorKind::bad_engine, "preparation '{}' wants {} version {}, which this build lacks", prep.name, prep.pack,
                  prep.version);
    std::vector<HostValue> in;
    for (const engine::WeightSource& source : prep.in) {
      TENON_TRY(tensor, find(source));
      in.emplace_back(std::move(tensor));
    }
    prepared[i].resize(prep.out.size());
    TENON_TRY(api, engine::load_reference());
    auto done = api->run(prep.problem, in, prepared[i]);
    for (size_t k = 0; done.ok() && k < prep.out.size(); ++k) {
      Tensor& got = prepared[i][k].tensor;
      // A problem may group the dims otherwise: the elements are the same.
      const auto wanted = prep.out[k].shape.constant();
      const Result<int64_t> elems = wanted ? checked_elems(*wanted) : Result<int64_t>(-1);
      if (elems.ok() && *elems == got.elems()) got.dims = *wanted;
      if (got.dtype != prep.out[k].dtype || !(tenon::Shape::of(got.dims) == prep.out[k].shape))
        done =
            fail(ErrorKind::bad_engine, "gives {}{}, the plan says {}", to_string(got.dtype), to_string(got.dims), to_string(prep.out[k]));
    }
    if (!done.ok()) return std::move(done.error()).within(strf("preparing weights for '{}'", prep.name));
  }
  std::set<std::pair<int64_t, int64_t>> wanted;
  collect_weights(plan_->main, wanted);
  for (const auto& [row, space] : wanted) {
    TENON_TRY(tensor, find(plan_->weights[static_cast<size_t>(row)]));
    const engine::DeviceApi* api = devices_[static_cast<size_t>(space)];
    if (!api->host_memory) {
      if (tensor.dtype == DType::str) return fail(ErrorKind::bad_engine, "a weight of strings cannot lie on the device '{}'", api->name);
      void* queue = queues_[static_cast<size_t>(space)];
      TENON_TRY(memory, api->allocate(queue, tensor.bytes()));
      out->device_memory_.push_back({api, queue, memory});
      TENON_OK(api->copy(queue, memory, tensor.data, tensor.bytes(), engine::CopyKind::to_device));
      TENON_OK(api->synchronize(queue));
      tensor = Tensor::wrap(tensor.dtype, tensor.dims, memory);
    }
    out->tensors_[{row, space}] = std::move(tensor);
  }
  return out;
}

std::shared_ptr<const WeightSet> Engine::weights() const {
  const std::lock_guard lock(mutex_);
  return weights_;
}

Result<void> Engine::refit(std::string_view root, const Tensor& data) {
  const std::lock_guard lock(mutex_);
  engine::Blob* row = nullptr;
  for (engine::Blob& blob : image_.blobs)
    if (blob.root && blob.name == root) row = &blob;
  if (!row) return fail(ErrorKind::not_found, "the engine has no weight named '{}' that can be refitted", root);
  if (row->data.dtype != data.dtype || row->data.dims != data.dims)
    return fail("weight '{}' is {}{}, got {}{}", root, to_string(row->data.dtype), to_string(row->data.dims), to_string(data.dtype),
                to_string(data.dims));
  TENON_TRY(copy, Tensor::allocate(data.dtype, data.dims));
  std::copy(data.view().begin(), data.view().end(), copy.data);
  std::swap(row->data, copy);
  auto fresh = make_weights();
  if (!fresh.ok()) {
    std::swap(row->data, copy);
    return std::move(fresh).error();
  }
  weights_ = std::move(*fresh);
  return {};
}

Result<Bytes> Engine::serialize() const {
  const std::lock_guard lock(mutex_);
  return engine::write_engine(image_);
}

}  // namespace tenon::runtime
