// Scanner: the one reader of every text form (graphs, plans, dims, expressions, attributes).
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace tenon {

class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text) {}

  bool at_end();
  /// The next character after white space and # comments, 0 at the end.
  char peek();
  /// Takes `token` if it comes next.
  bool accept(std::string_view token);
  Result<void> expect(std::string_view token);
  /// [A-Za-z_][A-Za-z0-9_.]*, empty if none comes next.
  std::string_view identifier();
  /// Like identifier, but also takes digits first and the characters of `more`.
  std::string_view word(std::string_view more = "");
  Result<int64_t> integer();
  Result<double> real();
  /// "…" with \" \\ \n \t \xHH escapes.
  Result<std::string> quoted();
  /// The position, to be given back to rewind().
  size_t mark() const { return at_; }
  void rewind(size_t mark) { at_ = mark; }
  /// An error that names line and column.
  Error error(std::string_view what) const;

 private:
  void skip_space();
  std::string_view text_;
  size_t at_ = 0;
};

std::string quote(std::string_view text);
/// Shortest text that reads back to the same bits; "nan", "inf", "-inf" for the rest.
std::string real_text(double value);
std::vector<std::string> split(std::string_view text, char at);
std::string join(const std::vector<std::string>& parts, std::string_view with);
/// Glob with * and ?.
bool glob_match(std::string_view pattern, std::string_view text);
/// "12.3 MB" for people.
std::string bytes_text(uint64_t bytes);

}  // namespace tenon
