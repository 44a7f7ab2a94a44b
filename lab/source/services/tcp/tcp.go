// Package tcp serves connections.
package tcp

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"io"
	"log"
	"net"
	"time"
)

// Serve starts a goroutine for each connection: nothing bounds them.
func Serve(l net.Listener) error {
	for {
		conn, err := l.Accept()
		if err != nil {
			return err
		}
		go handle(conn) // want goroutine-unbounded
	}
}

func handle(conn net.Conn) {
	defer conn.Close()
	buf := make([]byte, 4096)
	for {
		n, err := conn.Read(buf) // want conn-no-deadline
		if err != nil {
			return
		}
		if _, err := conn.Write(buf[:n]); err != nil {
			return
		}
	}
}

// ServeBounded has a semaphore and deadlines: healthy.
func ServeBounded(l net.Listener) error {
	sem := make(chan struct{}, 1000)
	for {
		conn, err := l.Accept()
		if err != nil {
			return err
		}
		sem <- struct{}{}
		go func() {
			defer func() { <-sem }()
			handleBounded(conn)
		}()
	}
}

func handleBounded(conn net.Conn) {
	defer conn.Close()
	buf := make([]byte, 4096)
	for {
		if err := conn.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
			return
		}
		n, err := conn.Read(buf)
		if err != nil {
			return
		}
		_ = conn.SetWriteDeadline(time.Now().Add(time.Second))
		if _, err := conn.Write(buf[:n]); err != nil {
			return
		}
	}
}

// Peer is a connection to another.
type Peer struct {
	conn net.Conn
	br   *bufio.Reader
	quit chan struct{}
}

// Connect has a timeout, and no deadline after.
func Connect(addr string) (*Peer, error) {
	conn, err := net.DialTimeout("tcp", addr, time.Second)
	if err != nil {
		return nil, err
	}
	p := &Peer{conn: conn, br: bufio.NewReader(conn), quit: make(chan struct{})}
	go p.loop()
	return p, nil
}

// loop ends when the connection is closed: healthy as a goroutine.
func (p *Peer) loop() {
	for {
		line, err := p.br.ReadString('\n') // miss conn-no-deadline
		if err != nil {
			return
		}
		log.Print(line)
	}
}

// Frame reads a frame from the connection.
func (p *Peer) Frame() ([]byte, error) {
	var head [4]byte
	if _, err := io.ReadFull(p.conn, head[:]); err != nil { // want conn-no-deadline
		return nil, err
	}
	n := binary.BigEndian.Uint32(head[:])
	if n > 1<<20 {
		return nil, errors.New("too long")
	}
	b := make([]byte, n)
	_, err := io.ReadFull(p.conn, b)
	return b, err
}

// Close ends it.
func (p *Peer) Close() error {
	close(p.quit)
	return p.conn.Close()
}

// Secure dials TLS without a timeout.
func Secure(addr string) (*tls.Conn, error) {
	return tls.Dial("tcp", addr, &tls.Config{MinVersion: tls.VersionTLS12}) // want dial-no-timeout
}

// Keepalive has no way out.
func (p *Peer) Keepalive() {
	go func() {
		for { // want goroutine-no-exit
			time.Sleep(time.Second)
			_, _ = p.conn.Write([]byte{0})
		}
	}()
}

// KeepaliveUntil has: healthy.
func (p *Peer) KeepaliveUntil(ctx context.Context) {
	go func() {
		t := time.NewTicker(time.Second)
		defer t.Stop()
		for {
			select {
			case <-t.C:
				_ = p.conn.SetWriteDeadline(time.Now().Add(time.Second))
				if _, err := p.conn.Write([]byte{0}); err != nil {
					return
				}
			case <-p.quit:
				return
			case <-ctx.Done():
				return
			}
		}
	}()
}
