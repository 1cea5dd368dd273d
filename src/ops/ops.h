// All operators' attributes; for tables, importers and tests that need many. One op's files include their own header.
#pragma once
#include "ops/shape_of.h"
#include "ops/transpose.h"
