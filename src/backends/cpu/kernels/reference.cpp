#include "backends/cpu/kernels/reference.h"

#include "engine/reference_api.h"

namespace tenon::cpu {

Result<void> reference(const engine::KernelCall& call) {
  TENON_TRY(api, engine::load_reference());
  return api->run(*call.problem, call.in, call.out);
}

}  // namespace tenon::cpu
