// Package healthy reads connections that have deadlines, and things that are none.
package healthy

import (
	"bufio"
	"io"
	"net"
	"os"
	"time"
)

func dialed(addr string) (byte, error) {
	conn, err := net.DialTimeout("tcp", addr, time.Second)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(time.Second)); err != nil {
		return 0, err
	}
	var b [1]byte
	_, err = conn.Read(b[:])
	return b[0], err
}

func serve(l net.Listener) {
	conn, err := l.Accept()
	if err != nil {
		return
	}
	_ = conn.SetDeadline(time.Now().Add(time.Minute))
	answer(conn)
}

// Who calls it has set one.
func answer(conn net.Conn) {
	defer conn.Close()
	_, _ = bufio.NewReader(conn).ReadString('\n')
	_, _ = io.ReadFull(conn, make([]byte, 4))
}

func limited(addr string) error {
	conn, err := net.DialTimeout("tcp", addr, time.Second)
	if err != nil {
		return err
	}
	defer conn.Close()
	limit(conn)
	_, err = io.ReadAll(conn)
	return err
}

func limit(conn net.Conn) { _ = conn.SetReadDeadline(time.Now().Add(time.Second)) }

// A connection of its own hands the deadline on.
type counted struct {
	net.Conn
	n int
}

func (c *counted) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.n += n
	return n, err
}

// A file is no connection.
func file(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(f)
}

type peer struct {
	link net.Conn
}

func (p *peer) frame() ([]byte, error) {
	if err := p.link.SetReadDeadline(time.Now().Add(time.Second)); err != nil {
		return nil, err
	}
	b := make([]byte, 16)
	_, err := io.ReadFull(p.link, b)
	return b, err
}

// A pipe in memory.
func piped() error {
	a, b := net.Pipe()
	defer a.Close()
	defer b.Close()
	_, err := a.Read(make([]byte, 1))
	return err
}
