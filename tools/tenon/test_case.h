// One directory of the ONNX test layout: model.onnx, test_data_set_k/{input,output}_j.pb.
#pragma once
#include "source.h"
#include "values.h"

namespace tenon::cli {

struct TestCase {
  std::string name;    // the folder, relative to the one that was named
  std::string folder;  // holds model.onnx
};

enum class Verdict : uint8_t { pass, fail, skip };
constexpr auto enum_names(Verdict) { return std::array<std::string_view, 3>{"pass", "FAIL", "skip"}; }

struct TestResult {
  Verdict verdict = Verdict::fail;
  std::string message;  // why not "pass"
  double seconds = 0;
};

/// `root` itself, if it holds a model, else all folders below it that do, sorted by name. Errors: no such folder, no case in it.
Result<std::vector<TestCase>> find_cases(const std::string& root);

/// Builds, loads, runs every data set, compares. A case without data sets is skipped. `source` says target and passes; its path is
/// ignored.
TestResult run_case(const TestCase& test, Source source, const Tolerance& tolerance);

struct IsolateOptions {
  int64_t jobs = 1;         // 0: in this process, one after the other
  int64_t timeout_s = 300;  // of each job
};
using Job = std::function<TestResult(size_t index)>;
/// Runs job 0 … count-1, each in a child process, so that one that crashes or hangs is one that fails. `done` is called in order of
/// the index. Only for a process without threads.
Result<void> run_isolated(size_t count, const IsolateOptions& options, const Job& job,
                          const std::function<void(size_t, const TestResult&)>& done);

}  // namespace tenon::cli
