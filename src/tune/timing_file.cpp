#include "tune/timing_file.h"

#include <filesystem>

#include "base/env.h"
#include "base/file.h"

namespace tenon::tune {

Result<TimingFile> open_timings(const std::string& path, bool measuring) {
  TimingFile out{.path = path};
  if (out.path.empty() && measuring && !cache_folder().empty()) out.path = (std::filesystem::path(cache_folder()) / "timings.txt").string();
  if (out.path.empty() || !std::filesystem::exists(out.path)) return out;
  TENON_TRY(text, read_text(out.path));
  auto timings = Timings::parse(text);
  if (!timings.ok()) return std::move(timings.error()).within(out.path);
  out.timings = std::move(*timings);
  out.known = out.timings.size();
  return out;
}

Result<void> save_timings(const TimingFile& file) {
  if (file.path.empty() || file.timings.size() == file.known) return {};
  const auto folder = std::filesystem::path(file.path).parent_path();
  std::error_code status;
  if (!folder.empty()) std::filesystem::create_directories(folder, status);
  const std::string text = file.timings.text();
  return write_file(file.path, std::as_bytes(std::span(text)));
}

}  // namespace tenon::tune
