package main

import "sync"

type session struct {
	id     int
	window [600]int
}

//go:noinline
func open(n int) *session {
	s := &session{id: n}
	s.window[n%600] = n
	return s
}

func largeAsIs(n int) int {
	s := open(n)
	return s.id + s.window[n%600]
}

var sessions = sync.Pool{New: func() any { return new(session) }}

//go:noinline
func openPooled(n int) *session {
	s := sessions.Get().(*session)
	*s = session{id: n}
	s.window[n%600] = n
	return s
}

func largeCured(n int) int {
	s := openPooled(n)
	sum := s.id + s.window[n%600]
	sessions.Put(s)
	return sum
}
