package main

import "sync"

type segment struct {
	refs     int
	postings map[string][]uint32
}

func newSegment(terms []string, docs int) *segment {
	s := &segment{refs: 1, postings: make(map[string][]uint32, len(terms))}
	for i, t := range terms {
		list := make([]uint32, docs)
		for d := range list {
			list[d] = uint32(d * (i + 1))
		}
		s.postings[t] = list
	}
	return s
}

// index has one segment to search in, and those before it that a search may still be at work in.
type index struct {
	mu      sync.Mutex
	current *segment
	retired []*segment
}

func (x *index) acquire() *segment {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.current.refs++
	return x.current
}

func (x *index) release(s *segment) {
	x.mu.Lock()
	defer x.mu.Unlock()
	s.refs--
}

// publish puts a segment in the place of the one before, and lets go of those that nobody is at work in.
func (x *index) publish(s *segment) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.current.refs--
	x.retired = append(x.retired, x.current)
	x.current = s
	still := x.retired[:0]
	for _, r := range x.retired {
		if r.refs > 0 {
			still = append(still, r)
		}
	}
	for i := len(still); i < len(x.retired); i++ {
		x.retired[i] = nil
	}
	x.retired = still
}
