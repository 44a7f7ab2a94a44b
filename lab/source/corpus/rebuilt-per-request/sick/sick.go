// What `rebuilt-per-request` must find.
package sick

import (
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
)

type config struct{ ids []int64 }

type configStore struct{ cur atomic.Pointer[config] }

func (s *configStore) current() *config { return s.cur.Load() }

type server struct {
	store *configStore
	words []string
	mu    sync.RWMutex
}

func (s *server) ugcTab(w http.ResponseWriter, r *http.Request) {
	cfg := s.store.current()
	avids := buildAvidMap(cfg.ids)
	fmt.Fprintln(w, len(avids))
}

func buildAvidMap(ids []int64) map[int64]struct{} {
	m := make(map[int64]struct{}, len(ids))
	for _, id := range ids {
		m[id] = struct{}{} // want rebuilt-per-request
	}
	return m
}

func (s *server) search(w http.ResponseWriter, r *http.Request) {
	set := make(map[string]bool, 8)
	for _, word := range s.words {
		set[word] = true // want rebuilt-per-request
	}
	fmt.Fprintln(w, set[r.FormValue("q")])
}

var blocked []string

func reload(list []string) { blocked = list }

func check(w http.ResponseWriter, r *http.Request) {
	bad := map[string]struct{}{}
	for _, b := range blocked {
		bad[b] = struct{}{} // want rebuilt-per-request
	}
	if _, ok := bad[r.RemoteAddr]; ok {
		w.WriteHeader(http.StatusForbidden)
	}
}

type listServer struct{ cache sync.Map }

func (l *listServer) handle(w http.ResponseWriter, r *http.Request) {
	v, _ := l.cache.Load("items")
	items := v.([]int64)
	var copied []int64
	for _, it := range items {
		copied = append(copied, it) // want rebuilt-per-request
	}
	fmt.Fprintln(w, len(copied))
}

type GetRequest struct{}

func routes(s *server) *http.ServeMux {
	mux := http.NewServeMux()
	mux.HandleFunc("/x", func(w http.ResponseWriter, r *http.Request) {
		index := make(map[string]int, len(blocked))
		for i, b := range blocked {
			index[b] = i // want rebuilt-per-request
		}
		fmt.Fprintln(w, index[r.URL.Path])
	})
	return mux
}

type shop struct {
	mu     sync.RWMutex
	prices map[string]int
}

func (s *shop) list(w http.ResponseWriter, r *http.Request) {
	fmt.Fprintln(w, s.snapshot()["x"])
}

func (s *shop) snapshot() map[string]int {
	s.mu.RLock()
	defer s.mu.RUnlock()
	out := make(map[string]int, len(s.prices))
	for k, v := range s.prices {
		out[k] = v // want rebuilt-per-request
	}
	return out
}
