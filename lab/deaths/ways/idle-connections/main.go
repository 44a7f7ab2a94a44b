// Clients upload a page, and then keep their connections open for later. Each connection's buffers wait with it for a
// request that does not come, and nothing says how long.
package main

import (
	"bufio"
	"net"
	"time"

	_ "example.com/ways/internal/profiled"
)

const page = 512 << 10

type server struct{ pages chan int }

func (s *server) serve(c net.Conn) {
	defer c.Close()
	r, w := newBuffers(c)
	for {
		head, err := r.Peek(page)
		if err != nil {
			return
		}
		w.Write(head[:100<<10]) // the receipt goes out with the next one
		s.pages <- len(head)
		if _, err := r.Discard(page); err != nil {
			return
		}
	}
}

//go:noinline
func newBuffers(c net.Conn) (*bufio.Reader, *bufio.Writer) {
	return bufio.NewReaderSize(c, page), bufio.NewWriterSize(c, 128<<10)
}

func (s *server) listen(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go s.serve(c)
	}
}

func visit(addr string, content []byte) net.Conn {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		panic(err)
	}
	if _, err := c.Write(content); err != nil {
		panic(err)
	}
	return c
}

func main() {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	s := &server{pages: make(chan int)}
	go s.listen(l)
	content := make([]byte, page)
	for i := range content {
		content[i] = byte(i)
	}
	for began := time.Now(); time.Since(began) < 1300*time.Millisecond; time.Sleep(30 * time.Millisecond) {
		c := visit(l.Addr().String(), content)
		<-s.pages
		c.Close()
	}
	var open []net.Conn
	for {
		open = append(open, visit(l.Addr().String(), content))
		<-s.pages
		time.Sleep(12 * time.Millisecond)
	}
}
