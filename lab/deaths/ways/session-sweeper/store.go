package main

import (
	"sync"
	"time"
)

type entity struct {
	created, touched time.Time
}

func (e *entity) touch() { e.touched = time.Now() }

func (e *entity) idle() time.Duration { return time.Since(e.touched) }

type session struct {
	entity
	user   string
	values map[string]interface{}
	flash  []string
}

type store struct {
	sessions sync.Map
	ttl      time.Duration
}

func (s *store) load(id string) *session {
	if v, ok := s.sessions.Load(id); ok {
		found := v.(*session)
		found.touch()
		return found
	}
	fresh := &session{entity: entity{created: time.Now()}, values: map[string]interface{}{}}
	fresh.touch()
	s.sessions.Store(id, fresh)
	return fresh
}

// sweep takes out whoever has been idle for longer than the time to live.
func (s *store) sweep() {
	s.sessions.Range(func(id, v interface{}) bool {
		if v.(*session).idle() > s.ttl*time.Second {
			s.sessions.Delete(id)
		}
		return true
	})
}

func (s *store) sweeping(every time.Duration) {
	for range time.Tick(every) {
		s.sweep()
	}
}
