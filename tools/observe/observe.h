// SPDX-License-Identifier: MIT
// The verbs under another name of this file; for whoever still includes it.
#include "verbs.h"
