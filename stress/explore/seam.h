// SPDX-License-Identifier: MIT
/*
 * What the explorer must do inside lib/reclaim/hp.c, whose records are private: seam.c includes that
 * file unchanged and adds these. (So hp.c itself is left out of the explorer's list of sources.)
 */
#ifndef LFSET_STRESS_EXPLORE_SEAM_H
#define LFSET_STRESS_EXPLORE_SEAM_H

#include "reclaim/reclaim.h"

/** Puts all records and counters back to how they were at first: nothing retired, no owner. */
void seam_reset(void);
/** The thread's next retire scans, instead of only the 64th. */
void seam_scan_at_next_retire(struct lfset__thread *thread);
/** Scans every record's retired objects on behalf of the current thread. */
void seam_scan_everything(void);

#endif
