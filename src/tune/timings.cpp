#include "tune/timings.h"

namespace tenon::tune {

Result<Timings> Timings::parse(std::string_view text) {
  Timings out;
  size_t number = 0;
  for (const std::string& line : split(text, '\n')) {
    ++number;
    if (line.empty() || line[0] == '#') continue;
    auto timing = from_text<Timing>(line);
    if (!timing.ok()) return std::move(timing.error()).within(strf("line {} of the timings", number));
    out.add(std::move(*timing));
  }
  return out;
}

std::string Timings::text() const {
  std::string out;
  for (const auto& [key, timing] : rows_) out += to_text(timing) + "\n";
  return out;
}

const Timing* Timings::find(std::string_view device, std::string_view kernel) const {
  const auto at = rows_.find(std::pair(std::string(device), std::string(kernel)));
  return at == rows_.end() ? nullptr : &at->second;
}

void Timings::add(Timing timing) {
  auto key = std::pair(timing.device, timing.kernel);
  rows_.insert_or_assign(std::move(key), std::move(timing));
}

}  // namespace tenon::tune
