// Package leakticker leaks as a program did before it was mended.
package leakticker

import (
	"log"
	"sync"
	"time"
)

type Client interface{ Ping() error }

type Session struct {
	client Client
	ticker *time.Ticker
	once   sync.Once
}

func Open(c Client, every time.Duration) *Session {
	s := &Session{client: c, ticker: time.NewTicker(every)}
	go s.keepAlive()
	return s
}

func (s *Session) keepAlive() {
	for range s.ticker.C { // warn goroutine-no-exit
		if err := s.client.Ping(); err != nil {
			log.Printf("ping: %v", err)
		}
	}
}

func (s *Session) Close() {
	s.once.Do(func() {
		s.ticker.Stop()
	})
}

type Pool struct {
	mu       sync.Mutex
	sessions map[string]*Session
}

func (p *Pool) Get(name string, c Client) *Session {
	p.mu.Lock()
	defer p.mu.Unlock()
	s, ok := p.sessions[name]
	if !ok {
		s = Open(c, time.Second)
		p.sessions[name] = s
	}
	return s
}

func (p *Pool) Drop(name string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if s, ok := p.sessions[name]; ok {
		s.Close()
		delete(p.sessions, name)
	}
}
