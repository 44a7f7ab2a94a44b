// A refresh of the price list calls out while it holds the mutex, and never comes back: handlers that want a price
// hold the page that they have begun, 150 kB each.
package main

import (
	"bytes"
	"fmt"
	"net/http"
	"sync"
	"time"

	_ "example.com/ways/internal/debugport"
	"example.com/ways/internal/visitors"
)

type prices struct {
	mu sync.Mutex
	of map[string]int
}

func (p *prices) lookup(sku string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.of[sku]
}

// refresh waits for an answer that nobody sends, with the lock held.
func (p *prices) refresh(answer <-chan map[string]int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.of = <-answer
}

type shop struct{ prices *prices }

//go:noinline
func beginPage(title string) *bytes.Buffer {
	page := bytes.NewBuffer(make([]byte, 0, 150_000))
	for page.Len() < 140_000 {
		fmt.Fprintf(page, "<li class=\"%s\">something to buy</li>\n", title)
	}
	return page
}

func (s *shop) product(w http.ResponseWriter, r *http.Request) {
	page := beginPage("product")
	fmt.Fprintf(page, "%d", s.prices.lookup(r.URL.Path))
	w.Write(page.Bytes())
}

func main() {
	s := &shop{prices: &prices{of: map[string]int{}}}
	mux := http.NewServeMux()
	mux.HandleFunc("/", s.product)
	addr := visitors.Serve(mux)
	go visitors.Call(addr, 300, func(i int) string { return fmt.Sprintf("/product/%d", i) })
	time.Sleep(1300 * time.Millisecond)
	s.prices.refresh(make(chan map[string]int))
}
