// What `config-length-loop` must find.
package sick

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
)

type rule struct{ prefix, to string }

type proxy struct {
	rules []rule
	users map[string]string
	store *store
}

type store struct {
	mu   sync.Mutex
	list []rule
}

func (s *store) all() []rule {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.list
}

func (p *proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	for _, rule := range p.rules { // want config-length-loop
		if strings.HasPrefix(r.URL.Path, rule.prefix) {
			http.Redirect(w, r, rule.to, http.StatusFound)
			return
		}
	}
}

func (p *proxy) auth(w http.ResponseWriter, r *http.Request) {
	for name, key := range p.users { // want config-length-loop
		if r.Header.Get("Key") == key {
			fmt.Fprintln(w, name)
		}
	}
}

func (p *proxy) stored(w http.ResponseWriter, r *http.Request) {
	for _, rule := range p.store.all() { // want config-length-loop
		if rule.prefix == r.URL.Path {
			fmt.Fprintln(w, rule.to)
		}
	}
}

var banned []string

func load(list []string) { banned = list }

func admit(w http.ResponseWriter, r *http.Request) {
	if isBanned(r.RemoteAddr) {
		w.WriteHeader(http.StatusForbidden)
	}
}

func isBanned(addr string) bool {
	for _, b := range banned { // want config-length-loop
		if b == addr {
			return true
		}
	}
	return false
}

func (p *proxy) routes(mux *http.ServeMux) {
	mux.HandleFunc("/n", func(w http.ResponseWriter, r *http.Request) {
		n := 0
		for _, rule := range p.rules { // want config-length-loop
			n += len(rule.to)
		}
		fmt.Fprintln(w, n)
	})
}
