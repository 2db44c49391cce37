// SPDX-License-Identifier: MIT
/* What must hold when the threads of a run are done. */
#ifndef LFSET_STRESS_EXPLORE_JUDGE_H
#define LFSET_STRESS_EXPLORE_JUDGE_H

/** Fails if something does not. The set is gone afterwards, unless a thread stopped. */
void judge(void);
/** Reclaims all that was retired. */
void judge_settle(void);

#endif
