// Sixty megabytes are alive, and GOGC=400 lets the heap grow to 300 before anything is collected; the limit is 240. With
// GOMEMLIMIT it would live.
package main

import (
	"bytes"
	"fmt"
	"net/http"
	"time"

	_ "example.com/ways/internal/debugport"
	"example.com/ways/internal/visitors"
)

type catalogue struct{ pages [][]byte }

func load(n int) *catalogue {
	c := &catalogue{}
	for i := 0; i < n; i++ {
		c.pages = append(c.pages, bytes.Repeat([]byte{byte(i)}, 64<<10))
	}
	return c
}

// render copies a page, and forgets it.
//
//go:noinline
func (c *catalogue) render(n int) []byte {
	var b bytes.Buffer
	for i := 0; i < 4; i++ {
		b.Write(c.pages[(n+i)%len(c.pages)])
	}
	return b.Bytes()
}

func (c *catalogue) page(w http.ResponseWriter, r *http.Request) {
	fmt.Fprintln(w, len(c.render(len(r.URL.Path))))
}

func main() {
	c := load(900)
	mux := http.NewServeMux()
	mux.HandleFunc("/", c.page)
	addr := visitors.Serve(mux)
	time.Sleep(1500 * time.Millisecond)
	visitors.Call(addr, 200, func(i int) string { return fmt.Sprintf("/%d", i) })
}
