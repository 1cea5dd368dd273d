#include "base/result.h"

#include <cstdio>
#include <cstdlib>

namespace tenon {

std::string_view to_string(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::invalid_argument: return "invalid argument";
    case ErrorKind::invalid_model: return "invalid model";
    case ErrorKind::unsupported: return "unsupported";
    case ErrorKind::bad_engine: return "bad engine";
    case ErrorKind::not_found: return "not found";
    case ErrorKind::io: return "i/o error";
    case ErrorKind::out_of_memory: return "out of memory";
    case ErrorKind::cancelled: return "cancelled";
  }
  return "error";
}

struct Error::What {
  ErrorKind kind;
  std::string message;
};

Error::Error(ErrorKind kind, std::string message) : what_(new What{kind, std::move(message)}) {}
Error::Error(const Error& other) : what_(other.what_ != nullptr ? new What(*other.what_) : nullptr) {}
void Error::drop() noexcept { delete what_; }
ErrorKind Error::kind() const { return what_->kind; }
const std::string& Error::message() const { return what_->message; }

Error Error::within(std::string_view who) && {
  what_->message = strf("{}: {}", who, what_->message);
  return std::move(*this);
}

Error fail_with(ErrorKind kind, fmt::string_view text, fmt::format_args args) { return {kind, format_args(text, args)}; }

void no_value(const Error& error) { check_failed(__FILE__, __LINE__, "Result::ok()", error.message()); }

void check_failed(const char* file, int line, const char* condition, const std::string& values) {
  std::fprintf(stderr, "tenon: a check of ours failed, please report it: %s:%d: %s  %s\n", file, line, condition, values.c_str());
  std::abort();
}

}  // namespace tenon
