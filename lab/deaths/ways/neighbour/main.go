// A calm service shares its group with a sidecar that fills it (start.sh). It is the larger of the two, and so it is the
// one that the kernel ends.
package main

import (
	"fmt"
	"net/http"
	"time"

	_ "example.com/ways/internal/debugport"
	"example.com/ways/internal/visitors"
)

type store struct{ blocks [][]byte }

func fill(n int) *store {
	s := &store{}
	for i := 0; i < n; i++ {
		b := make([]byte, 256<<10)
		for j := range b {
			b[j] = byte(i)
		}
		s.blocks = append(s.blocks, b)
	}
	return s
}

func (s *store) get(w http.ResponseWriter, r *http.Request) {
	sum := 0
	for _, b := range s.blocks[:8] {
		for _, x := range b[:1024] {
			sum += int(x)
		}
	}
	fmt.Fprintln(w, sum)
}

func main() {
	s := fill(600)
	mux := http.NewServeMux()
	mux.HandleFunc("/", s.get)
	addr := visitors.Serve(mux)
	time.Sleep(200 * time.Millisecond)
	visitors.Call(addr, 10, func(i int) string { return "/" })
}
