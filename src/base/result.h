// Result<T>: a value, or an Error that says where, what was found, what was wanted and what to do.
#pragma once
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "base/format.h"

namespace tenon {

enum class ErrorKind : uint8_t {
  invalid_argument,  // the caller's values are wrong
  invalid_model,     // the ONNX file breaks the specification
  unsupported,       // the model is fine, Tenon lacks something
  bad_engine,        // the engine file is damaged or of another version
  not_found,         // a file, a tensor, a device
  io,                // reading or writing failed
  out_of_memory,
  cancelled,
};
std::string_view to_string(ErrorKind kind);

/// One pointer: a Result passes it on in a register, and what handles the text is compiled once.
class [[nodiscard]] Error {
 public:
  Error(ErrorKind kind, std::string message);
  Error(Error&& other) noexcept : what_(std::exchange(other.what_, nullptr)) {}
  Error(const Error& other);
  Error& operator=(Error other) noexcept {
    std::swap(what_, other.what_);
    return *this;
  }
  ~Error() {
    if (what_ != nullptr) drop();
  }

  ErrorKind kind() const;
  const std::string& message() const;
  /// Adds who was at work, while unwinding: "importing node 'conv1' (Conv): <message>".
  Error within(std::string_view who) &&;

 private:
  template <class T>
  friend class Result;
  struct What;
  Error() = default;
  void drop() noexcept;
  What* what_ = nullptr;  // null once moved from, and in a Result that has its value
};

Error fail_with(ErrorKind kind, fmt::string_view text, fmt::format_args args);
template <class... Args>
Error fail(ErrorKind kind, fmt::format_string<Args...> text, Args&&... args) {
  return fail_with(kind, text, fmt::make_format_args(args...));
}
template <class... Args>
Error fail(fmt::format_string<Args...> text, Args&&... args) {
  return fail_with(ErrorKind::invalid_argument, text, fmt::make_format_args(args...));
}

[[noreturn]] void no_value(const Error& error);
[[noreturn]] void check_failed(const char* file, int line, const char* condition, const std::string& values);

template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : has_value_(true), value_(std::move(value)) {}
  Result(Error error) noexcept : error_(std::move(error)), none_() {}
  Result(Result&& other) : error_(std::move(other.error_)), has_value_(other.has_value_), none_() {
    if (has_value_) std::construct_at(&value_, std::move(other.value_));
  }
  Result& operator=(Result&& other) {
    if (this == &other) return *this;
    std::destroy_at(this);
    return *std::construct_at(this, std::move(other));
  }
  ~Result() {
    if (has_value_) std::destroy_at(&value_);
  }

  bool ok() const { return has_value_; }
  explicit operator bool() const { return ok(); }
  T& operator*() { return value(); }
  const T& operator*() const { return const_cast<Result*>(this)->value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &const_cast<Result*>(this)->value(); }
  Error& error() { return error_; }
  const Error& error() const { return error_; }

 private:
  T& value() {
    if (!ok()) no_value(error_);
    return value_;
  }
  Error error_;
  bool has_value_ = false;
  union {
    char none_;
    T value_;
  };
};

template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error error) noexcept : error_(std::move(error)), ok_(false) {}
  bool ok() const { return ok_; }
  explicit operator bool() const { return ok_; }
  Error& error() { return error_; }
  const Error& error() const { return error_; }

 private:
  Error error_;
  bool ok_ = true;
};

}  // namespace tenon

/// TENON_TRY(x, f()): returns f()'s error from the enclosing function, else names its value x.
#define TENON_TRY(name, ...)                                        \
  auto name##_result = (__VA_ARGS__);                               \
  if (!name##_result.ok()) return std::move(name##_result).error(); \
  auto& name = *name##_result
/// TENON_OK(f()): returns f()'s error from the enclosing function.
#define TENON_OK(...)                                                     \
  do {                                                                    \
    auto tenon_ok_result = (__VA_ARGS__);                                 \
    if (!tenon_ok_result.ok()) return std::move(tenon_ok_result).error(); \
  } while (false)
/// TENON_CHECK(i < n, "i={} n={}", i, n): an invariant of ours; prints the values and aborts. No input may reach one.
#define TENON_CHECK(condition, ...)                                                         \
  do {                                                                                      \
    if (!(condition)) [[unlikely]]                                                          \
      ::tenon::check_failed(__FILE__, __LINE__, #condition, ::tenon::strf("" __VA_ARGS__)); \
  } while (false)
