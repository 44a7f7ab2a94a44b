// Package visitors is the load on a service of this lab: requests that are written and never read, one descriptor
// each and no goroutine, so that all goroutines but one are the service's own.
package visitors

import (
	"fmt"
	"net"
	"net/http"
	"time"
)

var kept []net.Conn

// Serve serves on a port of the loopback and gives its address.
func Serve(h http.Handler) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	server := &http.Server{Handler: h, ReadHeaderTimeout: time.Minute, IdleTimeout: time.Minute}
	go server.Serve(l)
	return l.Addr().String()
}

// Call asks for a path so many times a second without end.
func Call(addr string, perSecond int, path func(i int) string) {
	began := time.Now()
	for i := 0; ; time.Sleep(2 * time.Millisecond) {
		for i < int(time.Since(began).Seconds()*float64(perSecond)) {
			c, err := net.Dial("tcp", addr)
			if err != nil {
				return
			}
			fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: lab\r\n\r\n", path(i))
			kept = append(kept, c)
			i++
		}
	}
}
