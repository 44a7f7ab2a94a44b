// Command io-without-deadline has goroutines that wait for peers who never answer, with no deadline.
package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"os"
	"syscall"
	"time"

	"example.com/causes/internal/plant"
	"example.com/causes/internal/servers"
)

func deadline() time.Time { return time.Now().Add(time.Hour) }

func dial(network, addr string) net.Conn {
	c, err := net.Dial(network, addr)
	if err != nil {
		panic(err)
	}
	return c
}

// ---- a protocol of lines

type cache struct {
	conn net.Conn
	in   *bufio.Reader
}

func (c *cache) get(key string, fixed bool) (string, error) {
	if fixed {
		c.conn.SetDeadline(deadline())
	}
	if _, err := c.conn.Write([]byte("get " + key + "\r\n")); err != nil {
		return "", err
	}
	return c.in.ReadString('\n')
}

func lines(fixed bool) {
	addr := servers.Silent()
	plant.Fact("lines", "peer", addr)
	for i := 0; i < 3; i++ {
		conn := dial("tcp", addr)
		go func() {
			plant.Here("lines", "stuck")
			c := &cache{conn, bufio.NewReader(conn)}
			_, _ = c.get("a", fixed)
		}()
	}
}

// ---- a client without a timeout

func request(fixed bool) {
	addr := servers.Silent()
	plant.Fact("request", "peer", addr)
	client := &http.Client{Transport: &http.Transport{}}
	if fixed {
		client.Timeout = time.Hour
	}
	for i := 0; i < 3; i++ {
		go func() {
			plant.Here("request", "stuck")
			r, err := client.Get("http://" + addr + "/")
			if err == nil {
				r.Body.Close()
			}
		}()
	}
	time.Sleep(50 * time.Millisecond)
	plant.FindN("request", "loop", "net/http.(*persistConn).readLoop", 3)
	plant.FindN("request", "loop", "net/http.(*persistConn).writeLoop", 3)
}

// ---- a server without timeouts, and clients that send half a request

func server(fixed bool) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	s := &http.Server{Handler: http.NotFoundHandler()}
	if fixed {
		s.ReadTimeout = time.Hour
	}
	go s.Serve(l)
	addr := l.Addr().(*net.TCPAddr)
	for i := 0; i < 4; i++ {
		fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
		if err != nil {
			panic(err)
		}
		if err := syscall.Connect(fd, &syscall.SockaddrInet4{Port: addr.Port, Addr: [4]byte{127, 0, 0, 1}}); err != nil {
			panic(err)
		}
		syscall.Write(fd, []byte("POST /upload HTTP/1.1\r\nHost: a"))
	}
	time.Sleep(50 * time.Millisecond)
	plant.FindN("server", "stuck", "net/http.(*conn).serve", 4)
}

// ---- a connection that never stands

func dials(fixed bool) {
	addr := servers.Full()
	plant.Fact("dial", "peer", addr)
	go func() {
		plant.Here("dial", "stuck")
		d := &net.Dialer{}
		ctx := context.Background()
		if fixed {
			d.Timeout = time.Hour
		}
		c, err := d.DialContext(ctx, "tcp", addr)
		if err == nil {
			c.Close()
		}
	}()
}

// ---- TLS with somebody who does not speak it

func handshake(fixed bool) {
	addr := servers.Silent()
	plant.Fact("handshake", "peer", addr)
	conn := dial("tcp", addr)
	go func() {
		plant.Here("handshake", "stuck")
		if fixed {
			conn.SetReadDeadline(deadline())
		}
		_ = tls.Client(conn, &tls.Config{ServerName: "example.com"}).Handshake()
	}()
}

// ---- an answer over UDP that is lost

func resolve(fixed bool) {
	fd, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	plant.AtEnd(func() { fd.Close() })
	addr := fd.LocalAddr().String()
	plant.Fact("datagram", "peer", addr)
	c := dial("udp", addr)
	go func() {
		plant.Here("datagram", "stuck")
		if fixed {
			c.SetReadDeadline(deadline())
		}
		c.Write([]byte("who is example.com"))
		buf := make([]byte, 512)
		c.Read(buf)
	}()
}

// ---- a write to somebody who does not read

type stream struct{ to net.Conn }

func (s *stream) push(chunk []byte, fixed bool) (err error) {
	for err == nil {
		if fixed {
			s.to.SetWriteDeadline(deadline())
		}
		_, err = s.to.Write(chunk)
	}
	return err
}

func push(fixed bool) {
	addr := servers.Silent()
	plant.Fact("write", "peer", addr)
	s := &stream{dial("tcp", addr)}
	go func() {
		plant.Here("write", "stuck")
		_ = s.push(make([]byte, 1<<20), fixed)
	}()
	time.Sleep(100 * time.Millisecond)
}

// ---- a pipe whose other end is held by somebody who forgot it

func pipe(fixed bool) {
	r, w, err := os.Pipe()
	if err != nil {
		panic(err)
	}
	if _, err := syscall.Dup(int(w.Fd())); err != nil {
		panic(err)
	}
	w.Close()
	go func() {
		plant.Here("pipe", "stuck")
		if fixed {
			r.SetReadDeadline(deadline())
		}
		buf := make([]byte, 10)
		r.Read(buf)
	}()
}

func main() {
	plant.Main(
		plant.Shape{Name: "lines", Run: lines},
		plant.Shape{Name: "request", Run: request},
		plant.Shape{Name: "server", Run: server},
		plant.Shape{Name: "dial", Run: dials},
		plant.Shape{Name: "handshake", Run: handshake},
		plant.Shape{Name: "datagram", Run: resolve},
		plant.Shape{Name: "write", Run: push},
		plant.Shape{Name: "pipe", Run: pipe},
	)
}
