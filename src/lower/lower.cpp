#include "lower/lower.h"

#include "lower/body.h"

namespace tenon::lower {

Result<engine::Plan> lower(const ir::Module& module, const Target& target, std::vector<engine::Blob>& blobs) {
  engine::Plan plan;
  plan.target = target.name;
  plan.devices = target.devices;
  Weights weights(module, plan, blobs);
  TENON_TRY(main, lower_body(module, module.main(), weights, {}));
  plan.main = std::move(main);
  return plan;
}

}  // namespace tenon::lower
