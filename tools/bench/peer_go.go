// SPDX-License-Identifier: MIT

// What Go programs use for a set, and the benchmark's loops over it, so that a call from C to Go is
// made once a slice and not once an operation. Built as a shared library; peer_go.cc is its user.
package main

/*
#include "peer_go.h"
*/
import "C"

import (
	"runtime/cgo"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"
)

const chunk = 64

type set interface {
	contains(key uint64) bool
	add(key uint64) bool
	remove(key uint64) bool
	size() int
}

type keys map[uint64]struct{}

func (k keys) insert(key uint64) bool {
	if _, present := k[key]; present {
		return false
	}
	k[key] = struct{}{}
	return true
}

func (k keys) erase(key uint64) bool {
	if _, present := k[key]; !present {
		return false
	}
	delete(k, key)
	return true
}

type mutexSet struct {
	lock sync.Mutex
	keys keys
}

func (s *mutexSet) contains(key uint64) bool {
	s.lock.Lock()
	_, present := s.keys[key]
	s.lock.Unlock()
	return present
}

func (s *mutexSet) add(key uint64) bool {
	s.lock.Lock()
	added := s.keys.insert(key)
	s.lock.Unlock()
	return added
}

func (s *mutexSet) remove(key uint64) bool {
	s.lock.Lock()
	removed := s.keys.erase(key)
	s.lock.Unlock()
	return removed
}

func (s *mutexSet) size() int { return len(s.keys) }

type rwMutexSet struct {
	lock sync.RWMutex
	keys keys
}

func (s *rwMutexSet) contains(key uint64) bool {
	s.lock.RLock()
	_, present := s.keys[key]
	s.lock.RUnlock()
	return present
}

func (s *rwMutexSet) add(key uint64) bool {
	s.lock.Lock()
	added := s.keys.insert(key)
	s.lock.Unlock()
	return added
}

func (s *rwMutexSet) remove(key uint64) bool {
	s.lock.Lock()
	removed := s.keys.erase(key)
	s.lock.Unlock()
	return removed
}

func (s *rwMutexSet) size() int { return len(s.keys) }

type syncMapSet struct {
	keys sync.Map
}

func (s *syncMapSet) contains(key uint64) bool {
	_, present := s.keys.Load(key)
	return present
}

func (s *syncMapSet) add(key uint64) bool {
	_, present := s.keys.LoadOrStore(key, struct{}{})
	return !present
}

func (s *syncMapSet) remove(key uint64) bool {
	_, present := s.keys.LoadAndDelete(key)
	return present
}

func (s *syncMapSet) size() int {
	count := 0
	s.keys.Range(func(any, any) bool { count++; return true })
	return count
}

type shard struct {
	mutexSet
	_ [64]byte // a line of its own
}

type shardedSet struct {
	shards [256]shard
}

func (s *shardedSet) of(key uint64) *mutexSet {
	return &s.shards[key*0x9e3779b97f4a7c15>>56].mutexSet
}

func (s *shardedSet) contains(key uint64) bool { return s.of(key).contains(key) }
func (s *shardedSet) add(key uint64) bool      { return s.of(key).add(key) }
func (s *shardedSet) remove(key uint64) bool   { return s.of(key).remove(key) }

func (s *shardedSet) size() int {
	total := 0
	for i := range s.shards {
		total += s.shards[i].size()
	}
	return total
}

//export go_create
func go_create(kind C.int) C.uintptr_t {
	var made set
	switch kind {
	case C.GO_MUTEX:
		made = &mutexSet{keys: make(keys)}
	case C.GO_RWMUTEX:
		made = &rwMutexSet{keys: make(keys)}
	case C.GO_SYNC_MAP:
		made = &syncMapSet{}
	default:
		sharded := &shardedSet{}
		for i := range sharded.shards {
			sharded.shards[i].keys = make(keys)
		}
		made = sharded
	}
	return C.uintptr_t(cgo.NewHandle(made))
}

//export go_destroy
func go_destroy(handle C.uintptr_t) {
	cgo.Handle(handle).Delete()
}

//export go_size
func go_size(handle C.uintptr_t) C.uint64_t {
	return C.uint64_t(cgo.Handle(handle).Value().(set).size())
}

type tally struct {
	present, sum uint64
	net          int64
}

func (t *tally) found(yes bool) {
	if yes {
		t.present++
	}
}

func (t *tally) added(key uint64, yes bool) {
	if yes {
		t.net++
		t.sum += key
	}
}

func (t *tally) removed(key uint64, yes bool) {
	if yes {
		t.net--
		t.sum -= key
	}
}

func set32(flag *C.uint32_t) bool {
	return atomic.LoadUint32((*uint32)(unsafe.Pointer(flag))) != 0
}

// Runs steps of chunk operations: until warm without counting, then until stop.
func repeat(work *C.struct_go_work, step func()) {
	for _, until := range []*C.uint32_t{work.warm, work.stop} {
		operations, start := 0, time.Now()
		for {
			step()
			operations += chunk
			if set32(until) {
				break
			}
		}
		work.operations = C.uint64_t(operations)
		work.nanoseconds = C.uint64_t(time.Since(start).Nanoseconds())
	}
}

func mix(set set, work *C.struct_go_work, keys []uint64, kinds []uint8, t *tally) {
	keyAt, kindAt := int(work.key_at), int(work.kind_at)
	reads := work.task == C.GO_READ
	repeat(work, func() {
		for i := 0; i < chunk; i++ {
			key := keys[keyAt+i]
			switch {
			case reads || kinds[kindAt+i] == 0:
				t.found(set.contains(key))
			case kinds[kindAt+i] == 1:
				t.added(key, set.add(key))
			default:
				t.removed(key, set.remove(key))
			}
		}
		if keyAt += chunk; keyAt == len(keys) {
			keyAt = 0
		}
		if kindAt += chunk; kindAt == len(kinds) {
			kindAt = 0
		}
	})
	work.key_at, work.kind_at = C.uint64_t(keyAt), C.uint64_t(kindAt)
}

// As lap_key in workload.cc.
func lapKey(lap C.uint64_t) uint64 {
	x := ^uint64(lap)
	x ^= x >> 32
	x *= 0xd6e8feb86659fd93
	x ^= x >> 32
	x *= 0xd6e8feb86659fd93
	x ^= x >> 32
	return x
}

func window(set set, work *C.struct_go_work, keys []uint64, t *tally) {
	at, oldestAt := int(work.key_at), int(work.oldest_at)
	lap, oldestLap := lapKey(work.lap), lapKey(work.oldest_lap)
	repeat(work, func() {
		for i := 0; i < chunk/2; i++ {
			added, removed := keys[at]^lap, keys[oldestAt]^oldestLap
			t.added(added, set.add(added))
			t.removed(removed, set.remove(removed))
			if at++; at == len(keys) {
				at = 0
				work.lap++
				lap = lapKey(work.lap)
			}
			if oldestAt++; oldestAt == len(keys) {
				oldestAt = 0
				work.oldest_lap++
				oldestLap = lapKey(work.oldest_lap)
			}
		}
	})
	work.key_at, work.oldest_at = C.uint64_t(at), C.uint64_t(oldestAt)
}

func sample(work *C.struct_go_work, start time.Time) {
	if work.sample_count < work.sample_room {
		samples := unsafe.Slice((*uint32)(unsafe.Pointer(work.samples)), int(work.sample_room))
		samples[work.sample_count] = uint32(time.Since(start).Nanoseconds())
		work.sample_count++
	}
}

func readStamped(set set, work *C.struct_go_work, keys []uint64, t *tally) {
	for at := 0; ; at = (at + chunk) % len(keys) {
		for _, key := range keys[at : at+chunk] {
			start := time.Now()
			found := set.contains(key)
			sample(work, start)
			t.found(found)
		}
		if set32(work.stop) {
			return
		}
	}
}

func once(set set, work *C.struct_go_work, keys []uint64, t *tally) {
	start := time.Now()
	for _, key := range keys {
		switch work.task {
		case C.GO_FILL:
			t.added(key, set.add(key))
		case C.GO_CENSUS:
			t.added(key, set.contains(key))
		default:
			began := time.Now()
			added := set.add(key)
			sample(work, began)
			t.added(key, added)
		}
	}
	work.operations = C.uint64_t(len(keys))
	work.nanoseconds = C.uint64_t(time.Since(start).Nanoseconds())
}

//export go_run
func go_run(handle C.uintptr_t, work *C.struct_go_work) {
	set := cgo.Handle(handle).Value().(set)
	keys := unsafe.Slice((*uint64)(unsafe.Pointer(work.keys)), int(work.key_count))
	kinds := unsafe.Slice((*uint8)(unsafe.Pointer(work.kinds)), int(work.kind_count))
	var t tally
	switch work.task {
	case C.GO_READ, C.GO_MIX:
		mix(set, work, keys, kinds, &t)
	case C.GO_WINDOW:
		window(set, work, keys, &t)
	case C.GO_READ_STAMPED:
		readStamped(set, work, keys, &t)
	default:
		once(set, work, keys, &t)
	}
	work.present, work.sum, work.net = C.uint64_t(t.present), C.uint64_t(t.sum), C.int64_t(t.net)
}

func main() {}
