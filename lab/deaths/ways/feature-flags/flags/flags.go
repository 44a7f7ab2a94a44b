// Package flags says which features a user sees.
package flags

import (
	"hash/fnv"
	"sync"
	"time"
)

type Rule struct {
	Feature, Segment string
	Share            uint32
}

type Set struct {
	mu       sync.RWMutex
	rules    []Rule
	segments map[string]map[string]bool
}

func New(rules []Rule) *Set {
	return &Set{rules: rules, segments: map[string]map[string]bool{"staff": {"ann": true}, "beta": {"bob": true}}}
}

// In says whether a user is of a segment.
func (s *Set) In(segment, user string) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.segments[segment][user]
}

// For gives the features of a user.
func (s *Set) For(user string) []string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var on []string
	for _, r := range s.rules {
		if share(user, r.Feature) < r.Share || s.In(r.Segment, user) {
			on = append(on, r.Feature)
		}
	}
	return on
}

func share(user, feature string) uint32 {
	h := fnv.New32a()
	for i := 0; i < 400; i++ {
		h.Write([]byte(user))
		h.Write([]byte(feature))
	}
	return h.Sum32() % 100
}

// Refresh takes the rules of the source anew.
func (s *Set) Refresh(every time.Duration, source func() []Rule) {
	for range time.Tick(every) {
		rules := source()
		s.mu.Lock()
		s.rules = rules
		s.mu.Unlock()
	}
}
