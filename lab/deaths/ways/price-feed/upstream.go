package main

import (
	"fmt"
	"net"
	"time"
)

// exchange stands for the one that is asked: from a moment on it begins its answers and does not end them.
func exchange(l net.Listener, until time.Time) {
	const answer = `{"symbol":"XYZ","bid":10.25,"ask":10.5}`
	var open []net.Conn
	request := make([]byte, 4096)
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		c.Read(request)
		fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n", len(answer))
		if time.Now().Before(until) {
			fmt.Fprint(c, answer)
			c.Close()
		} else {
			fmt.Fprint(c, answer[:20])
			open = append(open, c)
		}
	}
}
