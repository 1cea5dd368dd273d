// The mock device's one tactic.
#pragma once
#include "tune/tactic.h"

namespace tenon::mock {

const tune::Backend& backend();

}  // namespace tenon::mock
