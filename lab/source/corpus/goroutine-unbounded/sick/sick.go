// What `goroutine-unbounded` must find.
package sick

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
)

type job struct{ id int }

func consume(jobs <-chan job) {
	for j := range jobs {
		go process(j) // want goroutine-unbounded
	}
}

func process(j job) { _ = j.id }

func poll(q *queue) {
	for {
		j := q.next()
		go func() { // want goroutine-unbounded
			process(j)
		}()
	}
}

type queue struct{ items []job }

func (q *queue) next() job { return q.items[0] }

func ServeUpload(w http.ResponseWriter, r *http.Request) {
	name := r.FormValue("name")
	go index(name) // want goroutine-unbounded
	w.WriteHeader(http.StatusAccepted)
}

func index(name string) { fmt.Println(name) }

func lines(sc *bufio.Scanner) {
	for sc.Scan() {
		line := sc.Text()
		go index(line) // want goroutine-unbounded
	}
}

func ServeMany(w http.ResponseWriter, r *http.Request) {
	for _, id := range r.URL.Query()["id"] {
		go index(id) // want goroutine-unbounded
	}
}

func dispatch(ctx context.Context, events chan job) {
	for {
		select {
		case <-ctx.Done():
			return
		case e := <-events:
			go process(e) // want goroutine-unbounded
		}
	}
}

func accept(ln net.Listener) {
	for {
		conn, err := ln.Accept()
		if err != nil {
			return
		}
		go serve(conn) // want goroutine-unbounded
	}
}

func serve(c net.Conn) { c.Close() }
