// SPDX-License-Identifier: MIT
/*
 * What the explorer must do inside lib/reclaim/hp.c and lib/wait/wait.c, whose records and sleepers are
 * private: seam.c includes these files unchanged and adds this. (So they are left out of the explorer's list
 * of sources.)
 */
#ifndef LFSET_STRESS_EXPLORE_SEAM_H
#define LFSET_STRESS_EXPLORE_SEAM_H

#include "reclaim/reclaim.h"

/** Puts all back to how it was at first: nothing retired, no owner of a record, nobody asleep. */
void seam_reset(void);
/** The thread's next retire scans, instead of only the 64th. */
void seam_scan_at_next_retire(struct lfset__thread *thread);
/** Scans every record's retired objects on behalf of the current thread. */
void seam_scan_everything(void);

#endif
