// Package sick reads connections on which nobody sets a deadline.
package sick

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"time"
)

func dialed(addr string) (byte, error) {
	conn, err := net.DialTimeout("tcp", addr, time.Second)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	var b [1]byte
	_, err = conn.Read(b[:]) // want conn-no-deadline
	return b[0], err
}

func accepted(l net.Listener) error {
	conn, err := l.Accept()
	if err != nil {
		return err
	}
	defer conn.Close()
	_, err = io.ReadAll(conn) // want conn-no-deadline
	return err
}

func serve(l net.Listener) {
	conn, err := l.Accept()
	if err != nil {
		return
	}
	answer(conn)
}

func answer(conn net.Conn) {
	defer conn.Close()
	br := bufio.NewReader(conn) // want conn-no-deadline
	line, err := br.ReadString('\n')
	if err == nil {
		fmt.Fprintln(conn, line)
	}
}

func written(d *net.Dialer, addr string, b []byte) error {
	conn, err := d.Dial("tcp", addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	_, err = conn.Write(b) // want conn-no-deadline
	return err
}

type peer struct {
	conn net.Conn
}

func (p *peer) frame() ([]byte, error) {
	b := make([]byte, 16)
	_, err := io.ReadFull(p.conn, b) // want conn-no-deadline
	return b, err
}

// Its deadline is one for writing.
func half(addr string) error {
	conn, err := net.DialTimeout("tcp", addr, time.Second)
	if err != nil {
		return err
	}
	defer conn.Close()
	_ = conn.SetWriteDeadline(time.Now().Add(time.Second))
	if _, err := conn.Write([]byte("PING\n")); err != nil {
		return err
	}
	_, err = io.ReadFull(conn, make([]byte, 5)) // want conn-no-deadline
	return err
}
