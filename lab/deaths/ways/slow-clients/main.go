// Clients announce a body and never send it; the server has no ReadTimeout. Each upload has a buffer of 256 kB to read
// into, and waits.
package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	_ "example.com/ways/internal/profiled"
)

type uploads struct{ stored int64 }

//go:noinline
func newPart() []byte {
	part := make([]byte, 256<<10)
	for i := range part {
		part[i] = '-'
	}
	return part
}

func (u *uploads) receive(w http.ResponseWriter, r *http.Request) {
	part := newPart()
	for {
		n, err := io.ReadFull(r.Body, part)
		u.stored += int64(n)
		if err != nil {
			break
		}
	}
	fmt.Fprintln(w, len(part))
}

func main() {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	u := &uploads{}
	go http.Serve(l, http.HandlerFunc(u.receive))
	time.Sleep(1300 * time.Millisecond)
	var clients []net.Conn
	for range time.Tick(5 * time.Millisecond) {
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			continue
		}
		fmt.Fprint(c, "PUT /part HTTP/1.1\r\nHost: lab\r\nContent-Length: 1000000\r\n\r\n")
		clients = append(clients, c)
	}
}
