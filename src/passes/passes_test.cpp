// Runs the cases of src/passes/<pass>.txt: graph in, `=>`, graph out or `the same`. A line `## …` names and opens a case. Names of values
// and what is written where do not count, order and operands do.
#include <gtest/gtest.h>

#include <filesystem>

#include "base/file.h"
#include "base/text.h"
#include "ir/text.h"
#include "ir/verify.h"
#include "ops/row.h"
#include "passes/pipeline.h"

namespace tenon::passes {
namespace {

struct Case {
  std::string pass, name, before, after;
  friend std::ostream& operator<<(std::ostream& out, const Case& test) { return out << test.pass << ": " << test.name; }
};

std::string file_of(const std::string& name) { return (std::filesystem::path(TENON_SOURCE_DIR) / "src/passes" / name).string(); }

std::vector<Case> cases_of(const std::string& pass) {
  std::vector<Case> cases;
  bool after = false;
  const auto text = read_text(file_of(pass + ".txt"));
  if (!text.ok()) return {{pass, text.error().message(), "", ""}};
  for (const std::string& line : split(*text, '\n')) {
    if (line.starts_with("## ")) {
      cases.push_back({pass, line.substr(3), "", ""});
      after = false;
    } else if (line == "=>") {
      after = true;
    } else if (!cases.empty()) {
      (after ? cases.back().after : cases.back().before) += line + "\n";
    }
  }
  return cases;
}

/// What counts: value names are numbers, and symbols that inference minted are not listed.
std::string canonical(ir::Module module) {
  for (ir::Graph& graph : module.graphs)
    for (ir::Value& value : graph.values) value.name.clear();
  std::string text = ir::to_string(module);
  return text.starts_with("symbols") ? text.substr(text.find('\n') + 1) : text;
}

std::string diff(const std::string& wanted, const std::string& found) {
  return strf("---- wanted ----\n{}---- found ----\n{}", wanted, found);
}

class PassCase : public testing::TestWithParam<Case> {};

TEST_P(PassCase, Holds) {
  const Case& test = GetParam();
  auto before = ir::parse_module(test.before, ops::op_table());
  ASSERT_TRUE(before.ok()) << before.error().message() << "\n" << test.before;
  const bool same = test.after.starts_with("the same");
  auto after = ir::parse_module(same ? test.before : test.after, ops::op_table());
  ASSERT_TRUE(after.ok()) << after.error().message() << "\n" << test.after;
  const auto wanted_verified = ir::verify(*after);
  ASSERT_TRUE(wanted_verified.ok()) << wanted_verified.error().message();

  const Log log([](Severity severity, std::string_view text) { ADD_FAILURE() << static_cast<int>(severity) << ": " << text; });
  PassCtx ctx{.log = log};
  ctx.channels_last = ctx.layer_norm = ctx.attention = ctx.squeeze_excite = ctx.recurrence = ctx.wide_products = ctx.normalised_products =
      true;
  ctx.float_type = DType::f16;
  ctx.math.operand_rounding = Rounding::tf32;
  ctx.device_count = 2;
  ctx.wants_device = [](const ir::Node& node, const ir::Graph&) { return node.op.row().anchor; };
  const Pass* pass = find_pass(test.pass);
  ASSERT_TRUE(pass) << "there is no pass " << test.pass;
  const auto changed = pass->run(*before, ctx);
  ASSERT_TRUE(changed.ok()) << changed.error().message();
  const auto verified = ir::verify(*before);
  ASSERT_TRUE(verified.ok()) << verified.error().message() << "\n" << ir::to_string(*before);
  const std::string wanted = canonical(*after), found = canonical(*before);
  EXPECT_TRUE(wanted == found) << diff(wanted, found);
  EXPECT_NE(*changed, same);
  const auto again = pass->run(*before, ctx);
  EXPECT_TRUE(again.ok() && !*again) << "a second run changes:\n" << ir::to_string(*before);
}

std::vector<Case> all_cases() {
  std::vector<Case> out;
  for (const std::string pass : {
#define TENON_PASS(name) #name,
#include "passes/passes.def"
#undef TENON_PASS
       })
    for (Case& test : cases_of(pass)) out.push_back(std::move(test));
  return out;
}

std::string test_name(const testing::TestParamInfo<Case>& info) {
  std::string out = info.param.pass + "_";
  for (const char c : info.param.name) out += std::isalnum(static_cast<unsigned char>(c)) ? c : '_';
  return out;
}

INSTANTIATE_TEST_SUITE_P(Text, PassCase, testing::ValuesIn(all_cases()), test_name);

}  // namespace
}  // namespace tenon::passes
