// Engines of the small models, built once for all tests of a process.
#pragma once
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <map>

#include "base/file.h"
#include "build.h"
#include "onnx/value_file.h"
#include "runtime/context.h"

namespace tenon {

inline std::string small_model(std::string_view name) { return strf("{}/tests/models/small/{}/model.onnx", TENON_SOURCE_DIR, name); }

inline const Bytes& small_engine(const std::string& name, const std::string& target = "cpu") {
  static std::map<std::pair<std::string, std::string>, Bytes> built;
  const auto [at, fresh] = built.try_emplace({name, target});
  if (fresh) {
    BuildOptions options;
    options.targets = {target};
    auto bytes = build_engine_from_file(small_model(name), options);
    EXPECT_TRUE(bytes.ok()) << bytes.error().message();
    if (bytes.ok()) at->second = std::move(*bytes);
  }
  return at->second;
}

/// The inputs of a small model's data set, all of them tensors.
inline std::vector<HostValue> data_set(const std::string& name, int set) {
  std::vector<HostValue> out;
  for (int i = 0;; ++i) {
    const auto file = MappedFile::open(strf("{}/tests/models/small/{}/test_data_set_{}/input_{}.pb", TENON_SOURCE_DIR, name, set, i));
    if (!file.ok()) return out;
    const auto view = onnx::read_tensor((*file)->bytes());
    EXPECT_TRUE(view.ok()) << view.error().message();
    onnx::Model owner;
    owner.keep_alive = *file;
    auto tensor = onnx::import_tensor(owner, *view);
    EXPECT_TRUE(tensor.ok()) << tensor.error().message();
    if (!tensor.ok()) return {};
    // In the file the elements lie anywhere; a caller's memory is aligned.
    auto copy = Tensor::allocate(tensor->dtype, tensor->dims);
    EXPECT_TRUE(copy.ok());
    std::copy_n(tensor->data, tensor->bytes(), copy->data);
    out.emplace_back(std::move(*copy));
  }
}

/// Null, and a failed test, where the engine does not load.
inline std::shared_ptr<runtime::Engine> load(const Bytes& bytes, const std::string& target = "") {
  runtime::LoadOptions options;
  options.target = target;
  auto engine = runtime::Engine::load(bytes, nullptr, options);
  EXPECT_TRUE(engine.ok()) << engine.error().message();
  return engine.ok() ? *engine : nullptr;
}

/// Bounds the address space while it lives, so that a request for absurd memory fails instead of filling the machine. Sanitizers map
/// terabytes: they bound single allocations themselves.
class MemoryLimit {
 public:
  explicit MemoryLimit(uint64_t bytes) {
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    ::getrlimit(RLIMIT_AS, &before_);
    const rlimit limited{std::min<rlim_t>(bytes, before_.rlim_max), before_.rlim_max};
    limited_ = ::setrlimit(RLIMIT_AS, &limited) == 0;
#else
    (void)bytes;
#endif
  }
  ~MemoryLimit() {
    if (limited_) ::setrlimit(RLIMIT_AS, &before_);
  }
  MemoryLimit(const MemoryLimit&) = delete;
  MemoryLimit& operator=(const MemoryLimit&) = delete;

 private:
  rlimit before_ = {};
  bool limited_ = false;
};

}  // namespace tenon
