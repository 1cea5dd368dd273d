// The CPU's tactics, best first.
#pragma once
#include "tune/tactic.h"

namespace tenon::cpu {

const tune::Backend& backend();

}  // namespace tenon::cpu
