// Jobs in child processes (declared in test_case.h).
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <map>

#include "base/text.h"
#include "test_case.h"

namespace tenon::cli {
namespace {

/// A file in memory that parent and child share.
class SharedFile {
 public:
  explicit SharedFile(const char* name) : fd_(::memfd_create(name, MFD_CLOEXEC)) {}
  SharedFile(SharedFile&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  ~SharedFile() {
    if (fd_ >= 0) ::close(fd_);
  }
  int fd() const { return fd_; }
  void write(std::string_view text) const {
    while (!text.empty()) {
      const ssize_t wrote = ::write(fd_, text.data(), text.size());
      if (wrote <= 0) return;
      text.remove_prefix(static_cast<size_t>(wrote));
    }
  }
  std::string read() const {
    std::string out;
    char piece[4096];
    ssize_t got = 0;
    while ((got = ::pread(fd_, piece, sizeof piece, static_cast<off_t>(out.size()))) > 0) out.append(piece, static_cast<size_t>(got));
    return out;
  }

 private:
  int fd_;
};

struct Child {
  size_t index = 0;
  SharedFile result{"result"}, output{"stderr"};
  double start = 0;
};

std::string last_line(const std::string& text) {
  const size_t end = text.find_last_not_of("\n ");
  if (end == std::string::npos) return {};
  const size_t start = text.rfind('\n', end);
  return text.substr(start == std::string::npos ? 0 : start + 1, end - (start == std::string::npos ? 0 : start + 1) + 1);
}

[[noreturn]] void run_child(const Child& child, const IsolateOptions& options, const Job& job) {
  if (options.timeout_s > 0) ::alarm(static_cast<unsigned>(options.timeout_s));
  std::signal(SIGINT, SIG_DFL);
  ::dup2(child.output.fd(), STDERR_FILENO);
  const TestResult result = job(child.index);
  child.result.write(Json({{"verdict", static_cast<int>(result.verdict)}, {"message", result.message}, {"seconds", result.seconds}})
                         .dump(-1, ' ', false, Json::error_handler_t::replace));
  ::_exit(0);
}

TestResult collect(const Child& child, int status, const IsolateOptions& options) {
  TestResult out{.seconds = seconds_now() - child.start};
  const std::string output = child.output.read();
  const Json json = Json::parse(child.result.read(), nullptr, false);
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0 && json.is_object()) {
    out.verdict = static_cast<Verdict>(json["verdict"].get<int>());
    out.message = json["message"].get<std::string>();
    out.seconds = json["seconds"].get<double>();
    if (out.verdict == Verdict::pass && !output.empty()) std::fputs(output.c_str(), stderr);
    return out;
  }
  if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM) {
    out.message = strf("took longer than {} s", options.timeout_s);
  } else if (WIFSIGNALED(status)) {
    out.message = strf("CRASH: {}: {}", ::strsignal(WTERMSIG(status)), last_line(output));
  } else {
    out.message = strf("CRASH: exit code {}: {}", WEXITSTATUS(status), last_line(output));
    std::fputs(output.c_str(), stderr);  // a sanitizer's report
  }
  return out;
}

}  // namespace

Result<void> run_isolated(size_t count, const IsolateOptions& options, const Job& job,
                          const std::function<void(size_t, const TestResult&)>& done) {
  if (options.jobs <= 0) {
    for (size_t i = 0; i < count; ++i) done(i, job(i));
    return {};
  }
  std::map<pid_t, Child> running;
  std::map<size_t, TestResult> finished;  // those that wait for an earlier one
  size_t next = 0, reported = 0;
  while (reported < count) {
    while (next < count && running.size() < static_cast<size_t>(options.jobs)) {
      Child child{.index = next++, .start = seconds_now()};
      if (child.result.fd() < 0 || child.output.fd() < 0) return fail(ErrorKind::io, "no memory file: {}", std::strerror(errno));
      std::fflush(stdout);
      const pid_t pid = ::fork();
      if (pid < 0) return fail(ErrorKind::io, "cannot start a process: {}", std::strerror(errno));
      if (pid == 0) run_child(child, options, job);
      running.emplace(pid, std::move(child));
    }
    int status = 0;
    const pid_t pid = ::waitpid(-1, &status, 0);
    if (pid < 0 && errno == EINTR) continue;
    if (pid < 0) return fail(ErrorKind::io, "waiting for a process: {}", std::strerror(errno));
    const auto at = running.find(pid);
    if (at == running.end()) continue;
    finished.emplace(at->second.index, collect(at->second, status, options));
    running.erase(at);
    for (auto first = finished.find(reported); first != finished.end(); first = finished.find(reported)) {
      done(reported++, first->second);
      finished.erase(first);
    }
  }
  return {};
}

}  // namespace tenon::cli
