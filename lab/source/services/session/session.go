// Package session keeps sessions, and parts of requests.
package session

import (
	"net/http"
	"os"
	"sync"
	"time"
)

// Session is one user's.
type Session struct {
	Token string
	Last  time.Time
	Trace []byte
}

// Store keeps all of them.
type Store struct {
	mu       sync.Mutex
	sessions map[string]*Session
	recent   []*Session
	tokens   [][]byte
	heads    map[string][]byte
}

// Set keeps one.
func (s *Store) Set(token string, sess *Session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sessions[token] = sess // want map-only-grows
}

// Touch keeps the last hundred: healthy.
func (s *Store) Touch(sess *Session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.recent = append(s.recent, sess)
	if len(s.recent) > 100 {
		n := copy(s.recent, s.recent[len(s.recent)-100:])
		clear(s.recent[n:])
		s.recent = s.recent[:n]
	}
}

// Head keeps the first bytes of each body.
func (s *Store) Head(id string, body []byte) {
	s.mu.Lock()
	s.heads[id] = body[:32:32] // want slice-kept
	s.mu.Unlock()
}

// HeadCopied copies them, and Forget takes them out: healthy.
func (s *Store) HeadCopied(id string, body []byte) {
	head := make([]byte, 32)
	copy(head, body)
	s.mu.Lock()
	s.heads[id] = head
	s.mu.Unlock()
}

// Forget takes one out.
func (s *Store) Forget(id string) {
	s.mu.Lock()
	delete(s.heads, id)
	s.mu.Unlock()
}

// Login is a handler.
func (s *Store) Login(w http.ResponseWriter, r *http.Request) {
	token := r.Header.Get("Authorization")
	if token == "" {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	s.Set(token, &Session{Token: token[7:], Last: time.Now()})
	f, err := os.OpenFile("audit.log", os.O_APPEND|os.O_WRONLY, 0o600) // want file-not-closed
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	if _, err := f.WriteString(token + "\n"); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	_ = f.Close()
}

// Token remembers a part of each.
func (s *Store) Token(raw []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tokens = append(s.tokens, raw[2:10]) // want append-never-cleared slice-kept
}

type counter struct {
	mu   sync.Mutex
	hits map[string]int
}

var hits = counter{hits: map[string]int{}}

// Count counts by path: whoever asks for new paths makes it grow.
func Count(w http.ResponseWriter, r *http.Request) {
	hits.mu.Lock()
	hits.hits[r.URL.Path]++ // want map-only-grows
	hits.mu.Unlock()
	w.WriteHeader(http.StatusNoContent)
}

// CountKnown counts a few names: healthy.
func CountKnown(w http.ResponseWriter, r *http.Request) {
	name := "other"
	switch r.URL.Path {
	case "/a", "/b":
		name = r.URL.Path
	}
	known.mu.Lock()
	known.hits[name]++
	known.mu.Unlock()
}

var known = counter{hits: map[string]int{}}

// lazy is made once: healthy.
var lazy = sync.OnceValue(func() map[string]int {
	m := make(map[string]int)
	for i, k := range os.Environ() {
		m[k] = i
	}
	return m
})

// Lazy reads it.
func Lazy(w http.ResponseWriter, r *http.Request) {
	if _, ok := lazy()[r.URL.Path]; !ok {
		w.WriteHeader(http.StatusNotFound)
	}
}

// Pool gives buffers back: healthy.
var pool = sync.Pool{New: func() any { b := make([]byte, 0, 4096); return &b }}

// Render uses one.
func Render(w http.ResponseWriter, r *http.Request) {
	b := pool.Get().(*[]byte)
	defer pool.Put(b)
	*b = append((*b)[:0], r.URL.Path...)
	_, _ = w.Write(*b)
}
