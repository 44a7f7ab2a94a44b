// Package handtwins mends by other hands than its own line: a helper, something beside, the round's end. Each
// stands beside its twin that nobody mends.
package handtwins

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"
)

// Greeting ends the read when the context ends.
func Greeting(ctx context.Context, addr string) (string, error) {
	c, err := net.DialTimeout("tcp", addr, time.Second) // hint context-not-handed-on
	if err != nil {
		return "", err
	}
	defer func() { _ = c.Close() }()
	stop := context.AfterFunc(ctx, func() { _ = c.Close() })
	defer stop()
	return bufio.NewReader(c).ReadString('\n')
}

// Banner waits for what the peer says.
func Banner(addr string) ([]byte, error) {
	c, err := tls.DialWithDialer(&net.Dialer{Timeout: time.Second}, "tcp", addr, nil)
	if err != nil {
		return nil, err
	}
	defer func() { _ = c.Close() }()
	return io.ReadAll(c) // warn conn-no-deadline
}

// SecureDial has no bound of its own.
func SecureDial(addr string) (net.Conn, error) {
	d := &tls.Dialer{Config: &tls.Config{MinVersion: tls.VersionTLS13}}
	return d.Dial("tcp", addr) // warn dial-no-timeout
}

// BoundDial dials by a dialer that has one.
func BoundDial(addr string) (net.Conn, error) {
	d := &tls.Dialer{NetDialer: &net.Dialer{Timeout: time.Second}}
	return d.Dial("tcp", addr)
}

type limits struct{ header time.Duration }

func harden(s *http.Server, l limits) { s.ReadHeaderTimeout = l.header }

// Hardened has its timeouts from a helper.
func Hardened(h http.Handler, l limits) *http.Server {
	s := &http.Server{Handler: h}
	harden(s, l)
	return s
}

// Declared has none.
func Declared(h http.Handler) error {
	var s http.Server // warn server-no-timeout
	s.Addr = ":8080"
	s.Handler = h
	return s.ListenAndServe()
}

type account struct {
	mu   sync.Mutex
	next *account
	sum  int
}

// Total goes from lock to lock: the next one is taken before this one is given back.
func Total(first *account) int {
	cur, total := first, 0
	cur.mu.Lock()
	for cur.next != nil {
		total += cur.sum
		next := cur.next
		next.mu.Lock()
		cur.mu.Unlock()
		cur = next
	}
	cur.mu.Unlock()
	return total
}

type gate struct{ in, out sync.Mutex }

// Pass gives the wrong one back.
func (g *gate) Pass() {
	g.in.Lock()          // warn lock-not-released
	defer g.out.Unlock() // warn unlock-of-another
}

type link interface {
	ID() string
	Idle() bool
	Disconnect() error
}

type links struct {
	mu  sync.Mutex
	all []link
}

// Sweep disconnects when it has let go of the lock.
func (l *links) Sweep() {
	l.mu.Lock()
	for _, c := range l.all {
		if c.Idle() {
			defer func(c link) { // hint defer-in-loop
				if err := c.Disconnect(); err != nil {
					log.Print(c.ID(), err)
				}
			}(c)
		}
	}
	l.mu.Unlock()
}

// Sizes keeps all files open until it returns.
func Sizes(names []string) (int64, error) {
	var sum int64
	for _, name := range names {
		f, err := os.Open(name)
		if err != nil {
			return 0, err
		}
		defer func() { _ = f.Close() }() // warn defer-in-loop
		st, err := f.Stat()
		if err != nil {
			return 0, err
		}
		sum += st.Size()
	}
	return sum, nil
}

// Rounds waits for what each round has started.
func Rounds(ticks <-chan int, work func(int), more func(int)) {
	for n := range ticks {
		done := make(chan struct{})
		go func() {
			defer close(done)
			work(n)
		}()
		more(n)
		<-done
	}
}

var sender = &http.Client{Timeout: 10 * time.Second}

// Track bounds how much it reads, not how many forward it.
func Track(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	go forward(body) // warn goroutine-unbounded
	w.WriteHeader(http.StatusAccepted)
}

func forward(b []byte) {
	for try := range 5 {
		resp, err := sender.Post("https://collector.test", "application/json", bytes.NewReader(b))
		if err == nil {
			_ = resp.Body.Close()
			return
		}
		time.Sleep(time.Second << try)
	}
}

type insistent struct {
	next http.RoundTripper
	max  int
}

// RoundTrip leaves the answers of earlier rounds open.
func (t *insistent) RoundTrip(req *http.Request) (*http.Response, error) {
	var resp *http.Response
	var err error
	for range t.max {
		resp, err = t.next.RoundTrip(req) // warn body-not-closed
		if err == nil && resp.StatusCode < http.StatusInternalServerError {
			return resp, nil
		}
	}
	return resp, err
}

type patient struct{ insistent }

// RoundTrip closes them.
func (t *patient) RoundTrip(req *http.Request) (*http.Response, error) {
	var resp *http.Response
	var err error
	for range t.max {
		resp, err = t.next.RoundTrip(req)
		if err == nil && resp.StatusCode < http.StatusInternalServerError {
			return resp, nil
		}
		if err == nil {
			_ = resp.Body.Close()
		}
	}
	return resp, err
}

type gated struct{ sem *semaphore.Weighted }

// Handle keeps its place where it cannot read what it was given.
func (g *gated) Handle(ctx context.Context, text string) error {
	if err := g.sem.Acquire(ctx, 1); err != nil { // warn not-given-back
		return err
	}
	if text == "" {
		return errors.New("empty")
	}
	defer g.sem.Release(1)
	return ctx.Err()
}

type commands struct{}

func (commands) Subscribe(string) string   { return "+" }
func (commands) Unsubscribe(string) string { return "-" }

func build() commands { return commands{} }

// Send makes words that hold nothing.
func Send(w io.Writer, topic string, on bool) error {
	if !on {
		_, err := io.WriteString(w, build().Unsubscribe(topic))
		return err
	}
	if _, err := io.WriteString(w, build().Subscribe(topic)); err != nil {
		return errors.New("send")
	}
	return nil
}

type labelled struct {
	sync.RWMutex
	name string
}

func (l *labelled) String() string {
	l.RLock()
	defer l.RUnlock()
	return l.name
}

func (l *labelled) log() { fmt.Println(l.String()) }

// Rename logs under its own lock.
func (l *labelled) Rename(to string) {
	l.Lock()
	defer l.Unlock()
	l.name = to
	l.log() // warn locked-again
}

// Fetch leaves the group's calls without the context, though it waits for them.
func Fetch(ctx context.Context, urls []string) error {
	g, _ := errgroup.WithContext(ctx)
	for _, u := range urls {
		g.Go(func() error {
			req, err := http.NewRequest(http.MethodGet, u, nil) // warn context-not-handed-on
			if err != nil {
				return err
			}
			resp, err := sender.Do(req)
			if err != nil {
				return err
			}
			return resp.Body.Close()
		})
	}
	return g.Wait()
}

type bucket interface {
	Put(ctx context.Context, name string) error
	Delete(ctx context.Context, name string) error
}

// Compose removes the part though the context may have ended.
func Compose(ctx context.Context, b bucket, name string) error {
	err := b.Put(ctx, name)
	clean, cancel := context.WithTimeout(context.Background(), time.Second) // hint context-not-handed-on
	defer cancel()
	_ = b.Delete(clean, name+".part")
	return err
}

// Squares fills the channel beyond its room.
func Squares() []int {
	c := make(chan int, 4)
	for i := 0; i < 10; i++ {
		c <- i * i // warn channel-one-sided
	}
	close(c)
	var out []int
	for v := range c {
		out = append(out, v)
	}
	return out
}

type event struct {
	topic string
	body  []byte
}

// EventStore has a list for each topic.
type EventStore struct {
	mu   sync.Mutex
	logs map[string][]event
	last map[string][]event
}

// ServeHTTP adds to both, and keeps the last of one.
func (s *EventStore) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b, err := io.ReadAll(r.Body)
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	e := event{"all", b}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.logs["all"] = append(s.logs["all"], e) // warn append-never-cleared
	s.last["all"] = append(s.last["all"], e)
	if n := len(s.last["all"]); n > 100 {
		s.last["all"] = append([]event(nil), s.last["all"][n-100:]...)
	}
}

var (
	seen = map[string]int{}
	ids  = make(chan string, 100)
)

// Note hands the id to Run.
func Note(w http.ResponseWriter, r *http.Request) { ids <- r.Header.Get("X-Request-Id") }

// Run counts all that ever came.
func Run() {
	for id := range ids { // hint range-never-closed
		seen[id]++ // warn map-only-grows
	}
}

// Methods has as many keys as the switch lists.
type Methods struct {
	mu sync.Mutex
	by map[string]int
}

func (m *Methods) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch r.Method {
	case http.MethodGet, http.MethodPost:
		m.by[r.Method]++
	}
}

type item struct{ body *strings.Builder }

type itemHeap []*item

// Pop leaves the last where it was.
func (h *itemHeap) Pop() any {
	old := *h
	n := len(old)
	x := old[n-1]
	*h = old[:n-1] // hint slots-not-cleared
	return x
}

type clearedHeap []*item

// Pop clears it.
func (h *clearedHeap) Pop() any {
	old := *h
	n := len(old)
	x := old[n-1]
	old[n-1] = nil
	*h = old[:n-1]
	return x
}

// Refresh is given the lock of the one thing that it refreshes.
func Refresh(mu sync.Locker, url string) error {
	mu.Lock()
	defer mu.Unlock()
	resp, err := sender.Get(url) // hint lock-held-across-wait
	if err != nil {
		return err
	}
	return resp.Body.Close()
}

// Start starts workers, and never comes back.
func Start(n int, next func() func()) {
	for range n {
		go func() {
			for { // hint goroutine-no-exit
				next()()
			}
		}()
	}
	select {}
}

// SocketServer is reached by this machine alone.
func SocketServer(ctx context.Context, h http.Handler) error {
	l, err := (&net.ListenConfig{}).Listen(ctx, "unix", "/run/app.sock")
	if err != nil {
		return err
	}
	return http.Serve(l, h) // hint server-no-timeout
}

// Profiles serves what imports register.
func Profiles(pprofAddr string) *http.Server {
	s := &http.Server{Addr: pprofAddr} // hint server-no-timeout
	return s
}
