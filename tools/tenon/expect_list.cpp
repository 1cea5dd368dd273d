#include "expect_list.h"

#include <algorithm>
#include <filesystem>
#include <sstream>

#include "base/file.h"
#include "base/text.h"

namespace tenon::cli {

Result<ExpectList> read_expect_list(const std::string& path) {
  TENON_TRY(text, read_text(path));
  ExpectList out;
  std::istringstream lines(text);
  int64_t number = 0;
  for (std::string line; std::getline(lines, line);) {
    ++number;
    std::istringstream words(line.substr(0, line.find('#')));
    std::string name;
    if (!(words >> name)) continue;
    ExpectRow row;
    for (std::string word; words >> word;) {
      const std::vector<std::string> parts = split(word, ':');
      std::vector<double> numbers;
      for (size_t i = 1; i < parts.size(); ++i) {
        Scanner in(parts[i]);
        const auto real = in.real();
        if (real.ok() && in.at_end() && *real >= 0) numbers.push_back(*real);
      }
      if (numbers.empty() || numbers.size() > 2 || numbers.size() + 1 != parts.size())
        return fail("{}:{}: wanted backend:rtol or backend:rtol:atol, got '{}'", path, number, word);
      ExpectRow::Words& row_words = row.tolerances[parts[0]];
      row_words.rtol = numbers[0];
      if (numbers.size() == 2) row_words.atol = numbers[1];
    }
    if (!out.emplace(name, std::move(row)).second) return fail("{}:{}: '{}' is listed twice", path, number, name);
  }
  return out;
}

Tolerance tolerance_of(const ExpectList& list, std::string_view name, std::string_view target, Tolerance otherwise) {
  const auto row = list.find(name);
  if (row == list.end()) return otherwise;
  auto words = row->second.tolerances.find(target);
  if (words == row->second.tolerances.end()) words = row->second.tolerances.find("*");
  if (words == row->second.tolerances.end()) return otherwise;
  return Tolerance::of(words->second.rtol, words->second.atol.value_or(otherwise.atol));
}

Result<void> write_expect_list(const std::string& path, std::vector<std::string> names) {
  std::string out;
  std::map<std::string, std::string> rest;
  if (std::filesystem::exists(path)) {
    TENON_TRY(old, read_text(path));
    std::istringstream lines(old);
    bool head = true;
    for (std::string line; std::getline(lines, line);) {
      const size_t start = line.find_first_not_of(" \t");
      head = head && (start == std::string::npos || line[start] == '#');
      if (head) out += line + "\n";
      if (head || start == std::string::npos || line[start] == '#') continue;
      const size_t end = std::min(line.find_first_of(" \t#", start), line.size());
      rest[line.substr(start, end - start)] = line.substr(end);
    }
  }
  std::sort(names.begin(), names.end());
  for (const std::string& name : names) out += name + rest[name] + "\n";
  return write_file(path, view_of(out));
}

}  // namespace tenon::cli
