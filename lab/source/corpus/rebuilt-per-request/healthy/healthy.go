// What `rebuilt-per-request` must not find.
package healthy

import (
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
)

type config struct {
	ids    []int64
	shared map[int64]struct{}
}

type configStore struct{ cur atomic.Pointer[config] }

func (s *configStore) current() *config { return s.cur.Load() }

type server struct {
	store *configStore
	words []string
	index map[string]bool
	once  sync.Once
}

func (s *server) ugcTab(w http.ResponseWriter, r *http.Request) {
	cfg := s.store.current()
	fmt.Fprintln(w, len(cfg.shared))
}

func (s *configStore) load(ids []int64) {
	c := &config{ids: ids}
	c.shared = buildAvidMap(ids)
	s.cur.Store(c)
}

func buildAvidMap(ids []int64) map[int64]struct{} {
	m := make(map[int64]struct{}, len(ids))
	for _, id := range ids {
		m[id] = struct{}{}
	}
	return m
}

func (s *server) lazy(w http.ResponseWriter, r *http.Request) {
	if s.index == nil {
		m := make(map[string]bool, len(s.words))
		for _, word := range s.words {
			m[word] = true
		}
		s.index = m
	}
	fmt.Fprintln(w, s.index[r.FormValue("q")])
}

func (s *server) under(w http.ResponseWriter, r *http.Request) {
	s.once.Do(func() {
		m := make(map[string]bool, len(s.words))
		for _, word := range s.words {
			m[word] = true
		}
		s.index = m
	})
}

func parse(w http.ResponseWriter, r *http.Request) {
	ids := map[string]bool{}
	for _, id := range r.URL.Query()["id"] {
		ids[id] = true
	}
	fmt.Fprintln(w, len(ids))
}

var methods = []string{"GET", "PUT"}

func allowed(w http.ResponseWriter, r *http.Request) {
	set := map[string]bool{}
	for _, m := range methods {
		set[m] = true
	}
	fmt.Fprintln(w, set[r.Method])
}
