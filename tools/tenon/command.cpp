#include "command.h"

#include <unistd.h>

#include <charconv>
#include <csignal>

namespace tenon::cli {
namespace {

volatile std::sig_atomic_t interrupt_seen = 0;

void on_interrupt(int signal) {
  interrupt_seen = 1;
  std::signal(signal, SIG_DFL);
}

}  // namespace

void print_json(const Json& document) {
  const std::string text = document.dump(2, ' ', false, Json::error_handler_t::replace);
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fputc('\n', stdout);
}

Result<Shapes> parse_shapes(const std::vector<std::string>& texts, std::string_view option) {
  Shapes out;
  for (const std::string& text : texts) {
    const size_t at = text.rfind('=');
    if (at == std::string::npos || at == 0) return fail("{} wants name=AxBxC, got '{}'", option, text);
    Dims dims;
    const char* next = text.data() + at + 1;
    const char* end = text.data() + text.size();
    while (next != end) {
      int64_t dim = 0;
      const auto [stop, status] = std::from_chars(next, end, dim);
      if (status != std::errc() || dim < 0 || (stop != end && (*stop != 'x' || stop + 1 == end)))
        return fail("{} wants numbers with 'x' between them, for instance 1x3x224x224, got '{}'", option, text);
      dims.push_back(dim);
      next = stop == end ? end : stop + 1;
    }
    TENON_OK(checked_elems(dims));
    out[text.substr(0, at)] = std::move(dims);
  }
  return out;
}

Json dims_json(const Dims& dims) {
  Json out = Json::array();
  for (const int64_t dim : dims) out.push_back(dim);
  return out;
}

Progress::Progress(bool wanted) : active_(wanted && ::isatty(STDERR_FILENO)) {}
Progress::~Progress() { clear(); }

void Progress::show(std::string_view stage, double share) {
  if (!active_) return;
  constexpr int kWidth = 24;
  const int full = std::clamp(static_cast<int>(share * kWidth), 0, kWidth);
  const std::string bar = std::string(static_cast<size_t>(full), '#') + std::string(static_cast<size_t>(kWidth - full), '.');
  const std::string line = strf("\r\x1b[K[{}] {:3.0f} %  {}", bar, share * 100, stage);
  std::fwrite(line.data(), 1, line.size(), stderr);
  shown_ = true;
}

void Progress::clear() {
  if (shown_) std::fputs("\r\x1b[K", stderr);
  shown_ = false;
}

InterruptGuard::InterruptGuard() {
  interrupt_seen = 0;
  std::signal(SIGINT, on_interrupt);
}
InterruptGuard::~InterruptGuard() { std::signal(SIGINT, SIG_DFL); }
bool InterruptGuard::seen() const { return interrupt_seen != 0; }

}  // namespace tenon::cli
