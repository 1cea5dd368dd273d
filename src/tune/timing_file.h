// The file that timings come from and go to.
#pragma once
#include "tune/timings.h"

namespace tenon::tune {

struct TimingFile {
  std::string path;  // empty: none
  Timings timings;
  size_t known = 0;  // timings that were there when it was opened
};

/// `path` empty: timings.txt of the user's cache folder if there is a device to measure on, else none. Errors: a file that holds something
/// else.
Result<TimingFile> open_timings(const std::string& path, bool measuring);
/// Writes the file if there is something new in it.
Result<void> save_timings(const TimingFile& file);

}  // namespace tenon::tune
