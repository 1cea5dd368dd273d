// tenon test: directories in the ONNX test layout, each compared with its stored outputs.
#include <algorithm>

#include "base/text.h"
#include "expect_list.h"
#include "test_case.h"

namespace tenon::cli {
namespace {

struct TestOptions {
  Source source;
  std::vector<std::string> folders;
  Tolerance tolerance;
  std::optional<double> rtol;
  std::string list, write_list, filter;
  IsolateOptions isolate;
  bool quiet = false;
};

struct Row {
  std::string name;
  TestResult result;
};

/// What a positive list makes of an outcome: a listed case must pass, one that is not listed is expected to fail.
TestResult against_list(TestResult result, bool listed, const std::string& list) {
  if (listed && result.verdict == Verdict::skip) return {Verdict::fail, strf("is listed in {}, but was skipped: {}", list, result.message)};
  if (listed || result.verdict == Verdict::skip) return result;
  if (result.verdict == Verdict::fail) return {Verdict::skip, "not listed: " + result.message, result.seconds};
  return {Verdict::fail, strf("passes, but is not listed in {}: add it", list), result.seconds};
}

std::string shown_line(const Row& row) {
  std::string message = row.result.message;
  for (size_t at = message.find('\n'); at != std::string::npos; at = message.find('\n', at + 1)) message.replace(at, 1, "\n       ");
  return strf("{:<4}  {}{}{}\n", enum_names(Verdict{})[static_cast<size_t>(row.result.verdict)], row.name, message.empty() ? "" : ": ",
              message);
}

Result<std::vector<TestCase>> collect_cases(const TestOptions& options) {
  std::vector<TestCase> out;
  for (const std::string& folder : options.folders) {
    TENON_TRY(cases, find_cases(folder));
    for (TestCase& test : cases)
      if (options.filter.empty() || glob_match(options.filter, test.name)) out.push_back(std::move(test));
  }
  if (out.empty()) return fail(ErrorKind::not_found, "no case has a name that matches '{}'", options.filter);
  return out;
}

Result<int> run_cases(const TestOptions& options, bool json) {
  TENON_TRY(cases, collect_cases(options));
  ExpectList expected;
  if (!options.list.empty()) {
    TENON_TRY(list, read_expect_list(options.list));
    expected = std::move(list);
  }
  const Tolerance tolerance = options.rtol ? Tolerance::of(*options.rtol, options.tolerance.atol) : options.tolerance;
  const std::string device = options.source.device.empty() ? "cpu" : options.source.device;
  const std::string target = options.source.targets.empty() ? device : options.source.targets[0];
  const auto job = [&](size_t i) { return run_case(cases[i], options.source, tolerance_of(expected, cases[i].name, target, tolerance)); };

  std::vector<Row> rows;
  std::vector<std::string> passing;
  int64_t counts[3] = {};
  Progress bar(!json);
  TENON_OK(run_isolated(cases.size(), options.isolate, job, [&](size_t i, const TestResult& result) {
    if (result.verdict == Verdict::pass) passing.push_back(cases[i].name);
    Row row{cases[i].name, options.list.empty() ? result : against_list(result, expected.contains(cases[i].name), options.list)};
    ++counts[static_cast<size_t>(row.result.verdict)];
    bar.clear();
    if (!json && (!options.quiet || row.result.verdict == Verdict::fail)) say("{}", shown_line(row));
    bar.show(row.name, static_cast<double>(i + 1) / static_cast<double>(cases.size()));
    rows.push_back(std::move(row));
  }));
  bar.clear();
  if (!options.list.empty() && options.filter.empty())
    for (const auto& row : expected) {
      const std::string& name = row.first;
      if (std::any_of(cases.begin(), cases.end(), [&](const TestCase& test) { return test.name == name; })) continue;
      rows.push_back({name, {Verdict::fail, strf("is listed in {}, but there is no such case", options.list)}});
      ++counts[static_cast<size_t>(Verdict::fail)];
      if (!json) say("{}", shown_line(rows.back()));
    }
  if (!options.write_list.empty()) TENON_OK(write_expect_list(options.write_list, passing));

  if (json) {
    Json list = Json::array();
    for (const Row& row : rows)
      list.push_back(
          {{"name", row.name},
           {"verdict", row.result.verdict == Verdict::fail ? "fail" : enum_names(Verdict{})[static_cast<size_t>(row.result.verdict)]},
           {"message", row.result.message},
           {"seconds", row.result.seconds}});
    print_json({{"target", target}, {"passed", counts[0]}, {"failed", counts[1]}, {"skipped", counts[2]}, {"cases", std::move(list)}});
  } else {
    say("{} passed, {} failed{}\n", counts[0], counts[1], counts[2] ? strf(", {} skipped", counts[2]) : "");
  }
  return counts[1] ? kFailed : kOk;
}

}  // namespace

void add_test(CLI::App& app, Outcome& outcome) {
  const auto options = std::make_shared<TestOptions>();
  Verb verb(app, outcome, "test", "run models in the ONNX test layout and compare with their stored outputs",
            "tenon test tests/models/small --target cpu", [options, &outcome] { return run_cases(*options, outcome.json); });
  verb.option("folders", &options->folders, "folders with model.onnx and test_data_set_0, or folders of such folders", {.required = true});
  verb.option("--rtol", &options->rtol, "relative tolerance [0.001; four units in the last place of 16-bit floats]");
  verb.option("--atol", &options->tolerance.atol, "absolute tolerance");
  verb.option("--list", &options->list, "positive list: a listed case that fails is an error, and so is one that passes unlisted");
  verb.option("--write-list", &options->write_list, "write the names of the cases that pass");
  verb.option("--filter", &options->filter, "only cases whose name matches this glob");
  verb.option("--jobs", &options->isolate.jobs, "processes at once; 0: all in this process, for debuggers", {.most = 256});
  verb.option("--timeout", &options->isolate.timeout_s, "seconds that one case may take");
  verb.option("-q,--quiet", &options->quiet, "show failures only");
  options->source.add_options(verb, false);
}

}  // namespace tenon::cli
