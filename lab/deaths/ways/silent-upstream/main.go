// A proxy asks an upstream that accepts and then says nothing; nobody has set a deadline. Each call has a buffer to
// copy through.
package main

import (
	"bufio"
	"net"
	"time"

	_ "example.com/ways/internal/debugport"
)

type upstream struct{ addr string }

type session struct {
	conn   net.Conn
	header []byte
	in     *bufio.Reader
}

//go:noinline
func (u *upstream) open() (*session, error) {
	conn, err := net.Dial("tcp", u.addr)
	if err != nil {
		return nil, err
	}
	return &session{conn: conn, header: make([]byte, 160<<10), in: bufio.NewReaderSize(conn, 32<<10)}, nil
}

func (s *session) greet() error {
	line, err := s.in.ReadString('\n')
	copy(s.header, line)
	return err
}

func (u *upstream) proxy() {
	s, err := u.open()
	if err != nil {
		return
	}
	defer s.conn.Close()
	for i := range s.header {
		s.header[i] = 'x'
	}
	s.greet()
}

// accept is the upstream: it takes calls and answers none.
func accept(l net.Listener) {
	var all []net.Conn
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		all = append(all, c)
	}
}

func main() {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	go accept(l)
	u := &upstream{addr: l.Addr().String()}
	time.Sleep(1300 * time.Millisecond)
	for range time.Tick(3 * time.Millisecond) {
		go u.proxy()
	}
}
