// An API that bills by use: each tenant sees how often it has called what.
package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"

	_ "example.com/ways/internal/profiled"
)

func call(h http.Handler, tenant, path string) {
	r := httptest.NewRequest("GET", path, nil)
	r.Header.Set("X-Tenant", tenant)
	h.ServeHTTP(httptest.NewRecorder(), r)
}

// every does something so many times a second.
func every(perSecond float64, do func(n int)) {
	for n, began := 0, time.Now(); ; time.Sleep(time.Millisecond) {
		for ; float64(n) < time.Since(began).Seconds()*perSecond; n++ {
			do(n)
		}
	}
}

func main() {
	m := &meter{usage: map[string]map[string]map[string]*usage{}}
	mux := http.NewServeMux()
	mux.HandleFunc("/items/", getItem)
	api := m.metered(mux)
	for began := time.Now(); time.Since(began) < 1400*time.Millisecond; time.Sleep(5 * time.Millisecond) {
		call(api, "acme", "/items/")
	}
	every(25_000, func(n int) {
		call(api, []string{"acme", "globex", "initech"}[n%3], fmt.Sprintf("/items/%08x/%d", n*2654435761, n))
	})
}
