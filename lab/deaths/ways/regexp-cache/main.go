// Expressions are compiled once and kept by their text. The text has the tenant's name in it, and each request of a
// guest is a tenant of its own.
package main

import (
	"fmt"
	"regexp"
	"sync"
	"time"

	_ "example.com/ways/internal/profiled"
)

type router struct {
	mu       sync.RWMutex
	compiled map[string]*regexp.Regexp
}

func (r *router) pattern(text string) *regexp.Regexp {
	r.mu.RLock()
	re := r.compiled[text]
	r.mu.RUnlock()
	if re == nil {
		re = regexp.MustCompile(text)
		r.mu.Lock()
		r.compiled[text] = re
		r.mu.Unlock()
	}
	return re
}

func (r *router) allowed(tenant, path string) bool {
	return r.pattern("^/" + tenant + "/(orders|bills|returns)/[0-9a-f]{8,160}(/items/[a-z][a-z0-9-]{1,120})?$").MatchString(path)
}

func main() {
	r := &router{compiled: map[string]*regexp.Regexp{}}
	for began := time.Now(); time.Since(began) < 1300*time.Millisecond; time.Sleep(time.Millisecond) {
		r.allowed("acme", "/acme/orders/0123abcd")
	}
	for n, began := 0, time.Now(); ; time.Sleep(time.Millisecond) {
		for ; n < int(time.Since(began).Seconds()*600); n++ {
			guest := fmt.Sprintf("guest-%d", n)
			r.allowed(guest, "/"+guest+"/orders/0123abcd")
		}
	}
}
