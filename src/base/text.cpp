#include "base/text.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>

namespace tenon {
namespace {

bool is_alpha(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
int hex_value(char c) {
  if (is_digit(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

}  // namespace

void Scanner::skip_space() {
  while (at_ < text_.size()) {
    const char c = text_[at_];
    if (c == '#') {
      while (at_ < text_.size() && text_[at_] != '\n') ++at_;
    } else if (c == ' ' || c == '\n' || c == '\t' || c == '\r') {
      ++at_;
    } else {
      return;
    }
  }
}

bool Scanner::at_end() {
  skip_space();
  return at_ >= text_.size();
}

char Scanner::peek() {
  skip_space();
  return at_ < text_.size() ? text_[at_] : '\0';
}

bool Scanner::accept(std::string_view token) {
  skip_space();
  if (text_.substr(at_, token.size()) != token) return false;
  const size_t end = at_ + token.size();
  const bool word = is_alpha(token.back()) || is_digit(token.back());
  if (word && end < text_.size() && (is_alpha(text_[end]) || is_digit(text_[end]))) return false;
  at_ = end;
  return true;
}

Result<void> Scanner::expect(std::string_view token) {
  if (accept(token)) return {};
  return error(strf("wanted '{}'", token));
}

std::string_view Scanner::identifier() {
  skip_space();
  if (at_ >= text_.size() || !is_alpha(text_[at_])) return {};
  return word(".");
}

std::string_view Scanner::word(std::string_view more) {
  skip_space();
  const size_t start = at_;
  while (at_ < text_.size() && (is_alpha(text_[at_]) || is_digit(text_[at_]) || more.find(text_[at_]) != std::string_view::npos)) ++at_;
  return text_.substr(start, at_ - start);
}

Result<int64_t> Scanner::integer() {
  skip_space();
  int64_t value = 0;
  const char* first = text_.data() + at_;
  const auto [end, status] = std::from_chars(first, text_.data() + text_.size(), value);
  if (status != std::errc()) return error("wanted a 64-bit integer");
  at_ += static_cast<size_t>(end - first);
  return value;
}

Result<double> Scanner::real() {
  skip_space();
  double value = 0;
  const char* first = text_.data() + at_;
  const auto [end, status] = std::from_chars(first, text_.data() + text_.size(), value);
  if (status != std::errc()) return error("wanted a number");
  at_ += static_cast<size_t>(end - first);
  return value;
}

Result<std::string> Scanner::quoted() {
  TENON_OK(expect("\""));
  std::string out;
  while (at_ < text_.size() && text_[at_] != '"') {
    char c = text_[at_++];
    if (c != '\\') {
      out += c;
      continue;
    }
    if (at_ >= text_.size()) break;
    c = text_[at_++];
    if (c == 'n') {
      out += '\n';
    } else if (c == 't') {
      out += '\t';
    } else if (c == 'x' && at_ + 1 < text_.size() && hex_value(text_[at_]) >= 0 && hex_value(text_[at_ + 1]) >= 0) {
      out += static_cast<char>(hex_value(text_[at_]) * 16 + hex_value(text_[at_ + 1]));
      at_ += 2;
    } else {
      out += c;
    }
  }
  if (at_ >= text_.size()) return error("a string has no closing quote");
  ++at_;
  return out;
}

Error Scanner::error(std::string_view what) const {
  const std::string_view before = text_.substr(0, std::min(at_, text_.size()));
  const auto line = 1 + std::count(before.begin(), before.end(), '\n');
  const size_t start = before.rfind('\n') == std::string_view::npos ? 0 : before.rfind('\n') + 1;
  std::string_view found = text_.substr(std::min(at_, text_.size()), 20);
  found = found.substr(0, found.find('\n'));
  return fail("line {}, column {}: {}, found '{}'", line, before.size() - start + 1, what, found);
}

std::string quote(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (static_cast<unsigned char>(c) < 0x20) {
      out += strf("\\x{:02x}", static_cast<int>(c));
    } else {
      out += c;
    }
  }
  return out + '"';
}

std::string real_text(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  return strf("{}", value);
}

std::vector<std::string> split(std::string_view text, char at) {
  std::vector<std::string> out;
  while (true) {
    const size_t end = text.find(at);
    out.emplace_back(text.substr(0, end));
    if (end == std::string_view::npos) return out;
    text.remove_prefix(end + 1);
  }
}

std::string join(const std::vector<std::string>& parts, std::string_view with) {
  std::string out;
  for (size_t i = 0; i < parts.size(); ++i) {
    if (i) out += with;
    out += parts[i];
  }
  return out;
}

bool glob_match(std::string_view pattern, std::string_view text) {
  size_t p = 0, t = 0, star = std::string_view::npos, resume = 0;
  while (t < text.size()) {
    if (p < pattern.size() && (pattern[p] == '?' || pattern[p] == text[t])) {
      ++p, ++t;
    } else if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      resume = t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++resume;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

std::string bytes_text(uint64_t bytes) {
  if (bytes < 10'000) return strf("{} B", bytes);
  if (bytes < 10'000'000) return strf("{:.1f} kB", static_cast<double>(bytes) / 1e3);
  if (bytes < 10'000'000'000) return strf("{:.1f} MB", static_cast<double>(bytes) / 1e6);
  return strf("{:.2f} GB", static_cast<double>(bytes) / 1e9);
}

}  // namespace tenon
