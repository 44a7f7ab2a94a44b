// The database answers after two seconds instead of ten milliseconds. It does answer, and calls have a deadline: but
// 250 come every second and each holds the 250 kB of its request meanwhile.
package main

import (
	"encoding/binary"
	"io"
	"net"
	"sync/atomic"
	"time"

	_ "example.com/ways/internal/debugport"
)

var delay int64 = int64(10 * time.Millisecond)

// database answers each question after its delay.
func database(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		time.AfterFunc(time.Duration(atomic.LoadInt64(&delay)), func() {
			binary.Write(c, binary.BigEndian, uint64(1))
			c.Close()
		})
	}
}

type order struct {
	lines [][64]byte
	id    uint64
}

//go:noinline
func parseOrder() *order {
	o := &order{lines: make([][64]byte, 4000)}
	for i := range o.lines {
		o.lines[i][0] = byte(i)
	}
	return o
}

type client struct{ addr string }

func (c *client) insert(o *order) error {
	conn, err := net.DialTimeout("tcp", c.addr, 10*time.Second)
	if err != nil {
		return err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(10 * time.Second))
	var answer [8]byte
	if _, err := io.ReadFull(conn, answer[:]); err != nil {
		return err
	}
	o.id = binary.BigEndian.Uint64(answer[:])
	return nil
}

func (c *client) placeOrder() {
	o := parseOrder()
	if c.insert(o) == nil {
		o.lines = nil
	}
}

func main() {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	go database(l)
	c := &client{addr: l.Addr().String()}
	began := time.Now()
	for range time.Tick(4 * time.Millisecond) {
		if time.Since(began) > 1500*time.Millisecond {
			atomic.StoreInt64(&delay, int64(6*time.Second))
		}
		go c.placeOrder()
	}
}
