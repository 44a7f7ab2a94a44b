package lowtwins

import (
	"context"
	"net"
	"net/http"
	"path"
	"sync"
	"time"
)

// Agent serves one user.
type Agent struct {
	mu        sync.Mutex
	running   bool
	pending   map[string][]int
	streams   map[string]chan int
	bypass    map[string]bool
	peers     []string
	client    *http.Client
	ipsConfig []net.IP
}

// Up starts what runs until Down, once.
func (a *Agent) Up(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	if a.running {
		a.mu.Unlock()
		return
	}
	a.running = true
	go a.connect(time.Second) // hint goroutine-unbounded
	a.mu.Unlock()
}

// Again starts it each time.
func (a *Agent) Again(w http.ResponseWriter, r *http.Request) {
	go a.connect(time.Second) // warn goroutine-unbounded
}

func (a *Agent) connect(every time.Duration) {
	for a.running {
		time.Sleep(every)
	}
}

// Login ends what it waits for with the request.
func (a *Agent) Login(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithCancel(context.Background())
	go func() { // hint goroutine-unbounded
		select {
		case <-r.Context().Done():
			cancel()
		case <-ctx.Done():
		}
	}()
}

type accepted struct{ conn net.Conn }

// Forward has one goroutine a connection.
func (a *Agent) Forward(ctx context.Context, results chan accepted) {
	for {
		select {
		case r := <-results:
			go a.handle(r.conn) // hint goroutine-unbounded
		case <-ctx.Done():
			return
		}
	}
}

// Work has one a message.
func (a *Agent) Work(ctx context.Context, messages chan string) {
	for {
		select {
		case m := <-messages:
			go a.ask(m) // warn goroutine-unbounded
		case <-ctx.Done():
			return
		}
	}
}

func (a *Agent) handle(conn net.Conn) { conn.Close() }

func (a *Agent) ask(m string) { time.Sleep(time.Duration(len(m)) * time.Second) }

// Buffer has one for each account that has something to do.
func (a *Agent) Buffer(ctx context.Context, requests chan string) {
	for {
		select {
		case id := <-requests:
			a.pending[id] = append(a.pending[id], 1)
			if len(a.pending[id]) == 1 {
				go a.ask(id) // hint goroutine-unbounded
			}
		case <-ctx.Done():
			return
		}
	}
}

// Streams has one for each sender.
func (a *Agent) Streams(ctx context.Context, from chan string) {
	for {
		select {
		case id := <-from:
			_, ok := a.streams[id]
			if !ok {
				a.streams[id] = make(chan int, 1)
				go a.ask(id) // hint goroutine-unbounded
			}
		case <-ctx.Done():
			return
		}
	}
}

// Reset is of those who run the service.
func (a *Agent) Reset(w http.ResponseWriter, r *http.Request) {
	delete(a.streams, r.FormValue("id"))
	delete(a.pending, r.FormValue("id"))
}

// ShouldBypass tells all patterns where one is bad.
func (a *Agent) ShouldBypass(w http.ResponseWriter, r *http.Request) bool {
	for pattern := range a.bypass {
		ok, err := path.Match(pattern, r.URL.Path)
		if err != nil {
			all := make(map[string]bool, len(a.bypass))
			for k := range a.bypass {
				all[k] = true // hint rebuilt-per-request
			}
			_, _ = w.Write([]byte(join(all)))
			continue
		}
		if ok {
			return true
		}
	}
	return false
}

// ListBypass makes the set each time.
func (a *Agent) ListBypass(w http.ResponseWriter, r *http.Request) {
	all := make(map[string]bool, len(a.bypass))
	for k := range a.bypass {
		all[k] = true // warn rebuilt-per-request
	}
	_, _ = w.Write([]byte(join(all)))
}

func join(all map[string]bool) string {
	out := ""
	for k := range all {
		out += k
	}
	return out
}

// handleGetConfig copies what somebody wrote.
func (a *Agent) handleGetConfig(w http.ResponseWriter, r *http.Request) {
	ips := append([]net.IP{}, a.ipsConfig...) // hint rebuilt-per-request
	for _, ip := range ips {
		_, _ = w.Write(ip)
	}
}

// Match copies it for each request.
func (a *Agent) Match(w http.ResponseWriter, r *http.Request) {
	ips := append([]net.IP{}, a.ipsConfig...) // warn rebuilt-per-request
	for _, ip := range ips {
		_, _ = w.Write(ip)
	}
}
