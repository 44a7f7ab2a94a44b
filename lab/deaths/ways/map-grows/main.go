// Counters by label, and one label is the caller's address with its port: every call is a new one, and none is ever
// taken out.
package main

import (
	"fmt"
	"net/http"
	"time"

	"example.com/ways/internal/visitors"
	"example.com/ways/map-grows/counters"

	_ "example.com/ways/internal/debugport"
)

type server struct {
	calls *counters.Vec[counters.Histogram]
}

func (s *server) handle(w http.ResponseWriter, r *http.Request) {
	s.calls.With("path", r.URL.Path, "peer", r.RemoteAddr).Observe(1)
	fmt.Fprintln(w, "ok")
}

func main() {
	s := &server{calls: counters.NewVec[counters.Histogram]()}
	mux := http.NewServeMux()
	mux.HandleFunc("/", s.handle)
	addr := visitors.Serve(mux)
	time.Sleep(1300 * time.Millisecond)
	visitors.Call(addr, 1000, func(i int) string { return fmt.Sprintf("/item/%d", i) })
}
