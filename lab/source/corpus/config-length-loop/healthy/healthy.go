// What `config-length-loop` must not find.
package healthy

import (
	"fmt"
	"net/http"
)

type rule struct{ prefix, to string }

type proxy struct {
	byPath map[string]rule
	hooks  []func(*http.Request)
}

func (p *proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if rule, ok := p.byPath[r.URL.Path]; ok {
		http.Redirect(w, r, rule.to, http.StatusFound)
	}
}

func (p *proxy) hooked(w http.ResponseWriter, r *http.Request) {
	for _, h := range p.hooks {
		h(r)
	}
}

func ids(w http.ResponseWriter, r *http.Request) {
	for _, id := range r.URL.Query()["id"] {
		fmt.Fprintln(w, id)
	}
}

var verbs = []string{"GET", "PUT"}

func allowed(w http.ResponseWriter, r *http.Request) {
	for _, v := range verbs {
		if v == r.Method {
			return
		}
	}
}

func (p *proxy) reload(rules []rule) {
	for _, r := range rules {
		p.byPath[r.prefix] = r
	}
}

func fixed(w http.ResponseWriter, r *http.Request) {
	for i := 0; i < 3; i++ {
		fmt.Fprintln(w, i)
	}
}
