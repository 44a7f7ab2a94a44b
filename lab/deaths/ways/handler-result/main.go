// A search that takes too long is answered with an error, and what it finds later it wants to hand to somebody who has
// left.
package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	_ "example.com/ways/internal/profiled"
)

type document struct {
	id    int64
	title string
	score [12]float64
}

type front struct{ delay int64 }

//go:noinline
func rank(n int) []document {
	found := make([]document, n)
	for i := range found {
		found[i].id, found[i].title = int64(i), "a document"
	}
	return found
}

func (f *front) search(results chan<- []document) {
	found := rank(2600)
	time.Sleep(time.Duration(atomic.LoadInt64(&f.delay)))
	results <- found
}

func (f *front) query(w http.ResponseWriter, r *http.Request) {
	results := make(chan []document)
	go f.search(results)
	select {
	case found := <-results:
		fmt.Fprintln(w, len(found))
	case <-time.After(40 * time.Millisecond):
		http.Error(w, "too late", http.StatusGatewayTimeout)
	}
}

func ask(url string) {
	res, err := http.Get(url)
	if err == nil {
		io.Copy(io.Discard, res.Body)
		res.Body.Close()
	}
}

func main() {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	f := &front{}
	mux := http.NewServeMux()
	mux.HandleFunc("/search", f.query)
	go http.Serve(l, mux)
	url := "http://" + l.Addr().String() + "/search"
	for began := time.Now(); time.Since(began) < 1300*time.Millisecond; time.Sleep(10 * time.Millisecond) {
		ask(url)
	}
	atomic.StoreInt64(&f.delay, int64(120*time.Millisecond))
	for {
		go ask(url)
		time.Sleep(7 * time.Millisecond)
	}
}
