// SPDX-License-Identifier: MIT
/**
 * @file expiry.h
 * Keys that leave a set when they have not been added for a while (lfset_observe.expiry_ns). Not for
 * objects: nobody could tell whose an object is that has left by itself.
 *
 * Nothing is stored beside a key. There is a ring of buckets: unnamed sets of the same kind, domain and
 * allocator. Each add puts its key into the current bucket as well (about->touch), which is one look when it
 * is there already. A look closes the current bucket when it has been open for a sixteenth of the expiry
 * time, its width; and when a bucket has been closed for the expiry time, those of its keys that are in no
 * newer bucket leave the set, and the bucket is cleared for the next round. So time is advanced by looks
 * alone: an add reads no clock, and without a watcher nothing expires.
 *
 * When. A key leaves `expiry` after its last add or later, never earlier; and not later than expiry + one
 * width + two periods of the watcher after it. (A bucket is closed up to a period late, and emptied up to a
 * period late.) A key that somebody removes or clears stays in its buckets until they are emptied. A key that
 * is added all the time is in all of them, 18 at most: that is what it costs.
 *
 * No bucket is ever freed while the set lives, so adders need no protection: they load the number of the
 * current one. [expiry.current] seq_cst, as the operations of all sets are, so that all below happens in
 * one order.
 *   touch:  c = current; add to bucket c; if current != c, again.
 *   look:   clear the bucket that comes next; current += 1.
 * - A touch that was stopped in between may add to a bucket that is closed, or being emptied, or long in
 *   its next round. It then finds `current` changed and adds again: when a touch returns, its key is in the
 *   bucket that was current at its last load, and that load is within the call. What it left elsewhere
 *   may make its key stay a width longer than promised, if that bucket is the next one. (Nobody
 *   waits for anybody: a touch goes round again only after a look has gone on.)
 * - A bucket is cleared after its keys were seen. What a stopped touch adds in between is lost there, and
 *   added again by that touch, which must find `current` changed.
 * - A look finds k in no newer bucket; then k is added by another thread; then the look removes k. So an
 *   add that overlaps the expiry of its key may come before it, though it answered 0 or 1, as any
 *   add that overlaps another thread's remove may. An add that returned before the look asked for k is
 *   always respected: its touch put k into a bucket that was current within the call, and no bucket is
 *   emptied that was not closed for `expiry`.
 * - A key whose touch finds no memory is in no bucket. The next look goes through such a set, and puts keys
 *   that are in no bucket into the current one.
 */
#ifndef LFSET__EXPIRY_H
#define LFSET__EXPIRY_H

#include <stdint.h>

#include "record/registry.h"

/* lfset__expiry_create and lfset__expiry_destroy are declared in record/registry.h, for the sets. */

/** Removes the keys that are due. One caller at a time; not within a section. */
void lfset__expiry_look(struct lfset__about *about, uint64_t now_ns);

#endif
