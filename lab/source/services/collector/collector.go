package collector

import (
	"io"
	"log"
	"net"
	"sync"
)

type Collector struct {
	wg   sync.WaitGroup
	sink chan []byte
}

func (c *Collector) Serve(l net.Listener) error {
	for {
		conn, err := l.Accept()
		if err != nil {
			return err
		}
		go c.handle(conn) // hint goroutine-unbounded
	}
}

func (c *Collector) handle(conn net.Conn) {
	c.wg.Add(1) // warn wg-add-inside
	defer c.wg.Done()
	defer conn.Close()
	buf := make([]byte, 4096)
	for {
		n, err := conn.Read(buf) // warn conn-no-deadline
		if err == io.EOF {
			return
		}
		if err != nil {
			log.Println(err)
			return
		}
		c.sink <- append([]byte(nil), buf[:n]...)
	}
}

func (c *Collector) Forward(addr string) error {
	conn, err := net.Dial("tcp", addr) // warn dial-no-timeout
	if err != nil {
		return err
	}
	defer conn.Close()
	for b := range c.sink {
		if _, err := conn.Write(b); err != nil { // warn conn-no-deadline
			return err
		}
	}
	return nil
}

func (c *Collector) Close() { close(c.sink); c.wg.Wait() }
