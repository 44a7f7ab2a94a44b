// Package gotwins starts goroutines that end or of which there is one, and beside them those of which there
// are many.
package gotwins

import (
	"context"
	"net"
	"net/http"
	"os/exec"
	"sync"
	"time"
)

type peer struct {
	hellos chan string
}

// Incoming has a deadline on each connection before its goroutine begins.
func (p *peer) Incoming(conns <-chan net.Conn) {
	for c := range conns {
		_ = c.SetDeadline(time.Now().Add(20 * time.Second))
		go p.hello(c) // hint goroutine-unbounded
	}
}

// Anyhow has none.
func (p *peer) Anyhow(conns <-chan net.Conn) {
	for c := range conns {
		go p.hello(c) // warn goroutine-unbounded
	}
}

func (p *peer) hello(c net.Conn) {
	defer c.Close()
	b := make([]byte, 16)
	if n, err := c.Read(b); err == nil {
		p.hellos <- string(b[:n])
	}
}

// Hellos is read by others.
func (p *peer) Hellos() <-chan string { return p.hellos }

func freeze(on bool) {}

// Freeze takes back when the request has ended.
func Freeze(w http.ResponseWriter, r *http.Request) {
	ctx := r.Context()
	freeze(true)
	go func() { // hint goroutine-unbounded
		<-ctx.Done()
		freeze(false)
	}()
}

func send(to string) { time.Sleep(time.Second) }

// Mail starts one for each request; what a header gives bounds nothing.
func Mail(w http.ResponseWriter, r *http.Request) {
	go send(r.Header.Get("X-To")) // warn goroutine-unbounded
}

type pages struct{ closers []func() }

// OnClose keeps what is to be run at the end.
func (p *pages) OnClose(f func()) { p.closers = append(p.closers, f) }

// Open hands over what starts a goroutine.
func (p *pages) Open(w http.ResponseWriter, r *http.Request) {
	p.OnClose(func() {
		go send("closed") // hint goroutine-unbounded
	})
}

// Registerer takes metrics.
type Registerer interface{ MustRegister(names ...string) }

type resolver struct{ addrs []string }

func (r *resolver) resolve() {}

// NewResolver registers its metrics: there is one.
func NewResolver(reg Registerer) *resolver {
	reg.MustRegister("resolver_lookups_total")
	r := &resolver{}
	go func() {
		for { // hint goroutine-no-exit
			r.resolve()
			time.Sleep(time.Minute)
		}
	}()
	return r
}

// NewCache may be made for each of many, and nobody is seen to do so.
func NewCache() *resolver {
	r := &resolver{}
	go func() {
		for { // hint goroutine-no-exit
			r.resolve()
			time.Sleep(time.Minute)
		}
	}()
	return r
}

type server struct{}

func (s *server) sweep() {}

// NewServer makes what serves, of which there is one.
func NewServer() *server {
	s := &server{}
	go func() {
		for { // hint goroutine-no-exit
			s.sweep()
			time.Sleep(time.Minute)
		}
	}()
	return s
}

// Monitor starts a process again and again, and waits for the two that read from it through a third.
func Monitor(name string) error {
	for {
		cmd := exec.Command(name)
		var wg sync.WaitGroup
		wg.Add(1)
		go func() {
			defer wg.Done()
			send("out")
		}()
		exit := make(chan error)
		go func() {
			wg.Wait()
			exit <- cmd.Wait()
		}()
		if err := <-exit; err != nil {
			return err
		}
	}
}

// Workers starts some, and each one more for what it has.
func Workers(ctx context.Context, names []string) {
	for _, name := range names {
		go each(name, []string{"a", "b"})
	}
}

func each(name string, parts []string) {
	for _, p := range parts {
		go send(name + p) // hint goroutine-unbounded
	}
}
