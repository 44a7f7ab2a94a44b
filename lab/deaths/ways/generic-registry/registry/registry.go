// Package registry keeps values by key, in shards.
package registry

import "sync"

type entry[V any] struct {
	value V
	uses  int
}

type shard[K comparable, V any] struct {
	mu      sync.Mutex
	entries map[K]*entry[V]
}

// Table is a registry.
type Table[K comparable, V any] struct {
	shards []shard[K, V]
	hash   func(K) int
}

// New makes one.
func New[K comparable, V any](n int, hash func(K) int) *Table[K, V] {
	t := &Table[K, V]{shards: make([]shard[K, V], n), hash: hash}
	for i := range t.shards {
		t.shards[i].entries = map[K]*entry[V]{}
	}
	return t
}

// With calls use with the value of a key, which is made if there is none.
func (t *Table[K, V]) With(key K, use func(*V)) {
	s := &t.shards[t.hash(key)%len(t.shards)]
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.entries[key]
	if e == nil {
		e = &entry[V]{}
		s.entries[key] = e
	}
	e.uses++
	use(&e.value)
}
