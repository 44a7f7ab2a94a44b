// Package unseentwins is well where projects that nobody had looked at before were said to be ill.
package unseentwins

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"sync"
	"time"

	"example.org/mux"
)

// Index hands its lock to what it gives.
type Index struct {
	mu   sync.RWMutex
	open bool
	read func() (io.Reader, error)
}

// Dict gives the lock back when it is closed.
type Dict struct {
	index  *Index
	reader io.Reader
}

// Dict is held until its Close.
func (i *Index) Dict() (*Dict, error) {
	i.mu.RLock()
	if !i.open {
		i.mu.RUnlock()
		return nil, errors.New("closed")
	}
	r, err := i.read()
	if err != nil {
		i.mu.RUnlock()
		return nil, err
	}
	return &Dict{index: i, reader: r}, nil
}

// Close lets go of the index.
func (d *Dict) Close() { d.index.mu.RUnlock() }

// State is one of several.
type State struct {
	sync.RWMutex
	n int
}

// Sum locks all, and unlocks all.
func Sum(all []*State) (n int) {
	for _, s := range all {
		s.RLock()
	}
	for _, s := range all {
		n += s.n
	}
	for _, s := range all {
		s.RUnlock()
	}
	return n
}

// Exclusive has a lock for each name.
type Exclusive struct {
	mu    sync.Mutex
	locks map[string]*sync.Mutex
}

// In locks for who calls it.
func (x *Exclusive) In(name string) {
	x.mu.Lock()
	l, ok := x.locks[name]
	if !ok {
		l = &sync.Mutex{}
		x.locks[name] = l
	}
	x.mu.Unlock()
	l.Lock()
}

// Out unlocks and forgets.
func (x *Exclusive) Out(name string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.locks[name].Unlock()
	delete(x.locks, name)
}

// Watcher looks after some things.
type Watcher struct {
	out  chan string
	stop func()
}

// Signals starts one for each signal.
func (w *Watcher) Signals(end func(os.Signal)) {
	c := make(chan os.Signal, 1)
	signal.Notify(c, os.Interrupt)
	for {
		s := <-c
		go func() { // hint goroutine-unbounded
			time.Sleep(time.Second)
			end(s)
			w.out <- s.String()
		}()
	}
}

// Poll sleeps in each round.
func (w *Watcher) Poll(list func() []string) {
	for {
		time.Sleep(time.Minute)
		for _, name := range list() {
			go func() { w.out <- name }() // hint goroutine-unbounded
		}
	}
}

// Tell gives each a time.
func (w *Watcher) Tell(ctx context.Context, names <-chan string, say func(context.Context, string)) {
	for name := range names {
		go func() { // hint goroutine-unbounded
			ctx, cancel := context.WithTimeout(ctx, time.Second)
			defer cancel()
			say(ctx, name)
		}()
	}
}

// Batches hands the goroutine's channel to what waits for it.
func (w *Watcher) Batches(next func() []string, send func([]string) error, report func(chan error) error) error {
	for {
		batch := next()
		errs := make(chan error, 1)
		go func() { // hint goroutine-unbounded
			errs <- send(batch)
		}()
		if err := report(errs); err != nil {
			return err
		}
	}
}

// Follow ends the one before.
func (w *Watcher) Follow(ctx context.Context, hosts func() string, run func(context.Context, string)) {
	last := ""
	cancel := func() {}
	for {
		if host := hosts(); host != last {
			cancel()
			ctx, end := context.WithCancel(ctx)
			cancel = end
			go run(ctx, host) // hint goroutine-unbounded
			last = host
		}
	}
}

// Plugin is set up once.
type Plugin struct{ beat func() }

// NewPlugin beats for as long as the process lives.
func NewPlugin(beat func()) *Plugin {
	p := &Plugin{beat: beat}
	go func() {
		for range time.Tick(time.Minute) { // hint goroutine-no-exit
			p.beat()
		}
	}()
	return p
}

// Plugins starts one for each of a list.
func Plugins(all []*Plugin, in chan int) {
	for _, p := range all {
		go func() {
			for { // hint goroutine-no-exit
				<-in
				p.beat()
			}
		}()
	}
}

// base is what servers have.
type base struct {
	mu      sync.Mutex
	pending map[string]time.Time
}

// CacheServer adds to what its base takes from.
type CacheServer struct {
	*base
	busy map[string]bool
}

// Add keeps one until it is old.
func (s *CacheServer) Add(sessionID string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pending[sessionID] = time.Now()
}

func (b *base) clean() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for id, at := range b.pending {
		if time.Since(at) > time.Hour {
			delete(b.pending, id)
		}
	}
}

// Cache has a list and where each stands in it.
type Cache struct {
	mu   sync.Mutex
	all  []string
	seen map[string]int
}

// ServeHTTP looks how many there are.
func (c *Cache) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	id := r.URL.Query().Get("id")
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.all) >= 1000 {
		w.WriteHeader(http.StatusInsufficientStorage)
		return
	}
	c.seen[id] = len(c.all) // hint map-only-grows
	c.all = append(c.all, id)
}

// API tells by a map what others are to do.
type API struct{ triggers *sync.Map }

// NewAPI is given the map.
func NewAPI(triggers *sync.Map) *API { return &API{triggers: triggers} }

// ServeHTTP puts in what others take out.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.triggers.Store(r.URL.Query().Get("id"), true) // hint map-only-grows
}

// Agent serves on this machine alone.
func Agent() {
	addr := ":0"
	for port := 6060; port < 6100; port++ {
		addr = fmt.Sprintf("127.0.0.1:%d", port)
		_ = http.ListenAndServe(addr, nil) // hint server-no-timeout
	}
}

// Tunnel serves what comes by one connection.
func Tunnel(conn net.Conn, h http.Handler) error {
	session, err := mux.Client(conn)
	if err != nil {
		return err
	}
	srv := &http.Server{Handler: h} // hint server-no-timeout
	return srv.Serve(session)
}

// Socket serves a file.
func Socket(l *net.UnixListener, h http.Handler) error {
	return http.Serve(l, h) // hint server-no-timeout
}

// Connect has no timeout where none is asked for.
func Connect(addr string, timeout time.Duration) (net.Conn, error) {
	if timeout > 0 {
		return net.DialTimeout("tcp", addr, timeout)
	} else {
		return net.Dial("tcp", addr) // hint dial-no-timeout
	}
}

// Asker asks by its client.
type Asker struct{ client *http.Client }

func (a *Asker) ask(method, url string) (*http.Response, error) {
	req, err := http.NewRequest(method, url, nil) // hint request-no-context
	if err != nil {
		return nil, err
	}
	return a.client.Do(req)
}

// Size of what is there.
func (a *Asker) Size(url string) (int64, error) {
	resp, err := a.ask("HEAD", url) // hint body-not-closed
	if err != nil {
		return 0, err
	}
	if resp.StatusCode != http.StatusOK {
		return 0, errors.New(resp.Status)
	}
	_ = resp.Body.Close()
	return resp.ContentLength, nil
}

// Text of what is there: it is read to its end before anything can fail.
func (a *Asker) Text(url string) (string, error) {
	resp, err := a.ask("GET", url) // hint body-not-closed
	if err != nil {
		return "", err
	}
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return "", err
	}
	if resp.StatusCode != http.StatusOK {
		return "", errors.New(resp.Status)
	}
	return string(text), resp.Body.Close()
}

// idle sets the deadline in each Read.
type idle struct{ net.Conn }

func (c *idle) Read(b []byte) (int, error) {
	if err := c.Conn.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		return 0, err
	}
	return c.Conn.Read(b)
}

// Serve reads by a connection that has a deadline of its own.
func Serve(l net.Listener, say func(string)) error {
	for {
		conn, err := l.Accept()
		if err != nil {
			return err
		}
		go lines(&idle{conn}, say) // hint goroutine-unbounded
	}
}

func lines(c net.Conn, say func(string)) {
	in := bufio.NewScanner(c)
	for in.Scan() {
		say(in.Text())
	}
}

// blocks are filled once.
var blocks []string

// Known fills what is empty.
func Known(w http.ResponseWriter, r *http.Request) {
	if blocks == nil {
		for _, b := range []string{"10.0.0.0/8", "fc00::/7"} {
			blocks = append(blocks, b) // hint append-never-cleared
		}
	}
	for _, b := range blocks { // hint config-length-loop
		if b == r.URL.Query().Get("block") {
			w.WriteHeader(http.StatusNoContent)
		}
	}
}

// Forever waits on purpose.
func Forever() {
	var wg sync.WaitGroup
	wg.Add(1) // hint wg-count-mismatch
	wg.Wait()
}

// Hub tells all who were there from the start.
type Hub struct {
	mu  sync.Mutex
	all []chan string
}

// Attach is called when the program begins.
func (h *Hub) Attach(c chan string) {
	h.mu.Lock()
	h.all = append(h.all, c) // hint append-never-cleared
	h.mu.Unlock()
}

// Publish tells all.
func (h *Hub) Publish(s string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, c := range h.all {
		c <- s // hint lock-held-across-wait
	}
}

// Retry gives the context to what it tries.
func Retry(ctx context.Context, post func(context.Context) error, again func(context.Context, func() error) error) error {
	return again(context.Background(), func() error { // hint context-not-handed-on
		return post(ctx)
	})
}

// Hooks are kept for later, with the lock held while they are put down.
type Hooks struct {
	mu   sync.Mutex
	runs map[string]func()
	n    int
}

// Install puts down what takes the lock when it is run, much later.
func (h *Hooks) Install() {
	h.mu.Lock()
	defer h.mu.Unlock()
	on := func(key string, cb func()) { h.runs[key] = cb }
	on("count", func() {
		h.mu.Lock()
		h.n++
		h.mu.Unlock()
	})
}

// with runs what it is given while it holds the lock.
func (h *Hooks) with(run func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	run() // hint lock-held-across-wait
}

// Pause gives the lock back for as long as it waits.
func (h *Hooks) Pause(rest func()) {
	h.with(func() {
		h.mu.Unlock()
		rest()
		h.mu.Lock()
		h.n++
	})
}
