// Package counters counts by labels.
package counters

import (
	"strings"
	"sync"
)

// Histogram counts how often a value was in each of its bins.
type Histogram struct {
	bins [8192]uint32
	mu   sync.Mutex
}

// Observe counts one.
func (h *Histogram) Observe(v int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for i := range h.bins {
		h.bins[i] += uint32(v)
	}
}

// Vec has one counter for every set of labels that was ever seen.
type Vec[T any] struct {
	mu  sync.Mutex
	all map[string]*T
}

// NewVec makes one.
func NewVec[T any]() *Vec[T] { return &Vec[T]{all: map[string]*T{}} }

// With gives the counter of labels, a new one if they are new.
//
//go:noinline
func (v *Vec[T]) With(labels ...string) *T {
	key := strings.Join(labels, "\x00")
	v.mu.Lock()
	defer v.mu.Unlock()
	t, ok := v.all[key]
	if !ok {
		t = new(T)
		v.all[key] = t
	}
	return t
}
