// Package meanttwins does on purpose what looks like a leak, and beside it stands what leaks.
package meanttwins

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	_ "lab.test/services/sqlite3"
)

type session struct {
	http *http.Client
	url  string
}

func (s *session) drop(ctx context.Context) error { return s.ask(ctx, http.MethodDelete) }

func (s *session) open(ctx context.Context) error { return s.ask(ctx, http.MethodPost) }

func (s *session) ask(ctx context.Context, method string) error {
	req, err := http.NewRequestWithContext(ctx, method, s.url, nil)
	if err != nil {
		return err
	}
	resp, err := s.http.Do(req)
	if err != nil {
		return err
	}
	return resp.Body.Close()
}

// Negotiate takes back what it began where something has failed.
func (s *session) Negotiate(ctx context.Context) error {
	if err := s.open(ctx); err != nil {
		s.drop(context.Background()) // hint context-not-handed-on
		return err
	}
	return s.open(context.Background()) // warn context-not-handed-on
}

type observer struct {
	sinks  chan func(int)
	events chan int
}

// NewObserver starts one that serves as long as the process lives.
func NewObserver() *observer {
	o := &observer{sinks: make(chan func(int)), events: make(chan int, 16)}
	go o.dispatch()
	return o
}

func (o *observer) dispatch() {
	var sinks []func(int)
	for { // hint goroutine-no-exit
		select { // hint select-no-way-out
		case s := <-o.sinks:
			sinks = append(sinks, s)
		case e := <-o.events:
			for _, s := range sinks {
				s(e)
			}
		}
	}
}

// Watch starts one for each request.
func (o *observer) Watch(w http.ResponseWriter, r *http.Request) {
	go o.once() // warn goroutine-unbounded
}

func (o *observer) once() {
	select { // warn select-no-way-out
	case s := <-o.sinks:
		s(0)
	case <-o.events:
	}
}

// Serve gives the first end of several servers.
func Serve(a, b *http.Server) error {
	ends := make(chan error)
	go func() {
		ends <- a.ListenAndServe() // hint result-channel-read-once
	}()
	go func() {
		ends <- b.ListenAndServe()
	}()
	return <-ends
}

// Ask gives the first answer of several.
func Ask(a, b func() error) error {
	answers := make(chan error)
	go func() {
		answers <- a() // warn result-channel-read-once
	}()
	go func() {
		answers <- b()
	}()
	return <-answers
}

// ServeSocket listens on a file.
func ServeSocket(path string, h http.Handler) error {
	l, err := net.Listen("unix", path)
	if err != nil {
		return err
	}
	srv := &http.Server{Handler: h} // hint server-no-timeout
	return srv.Serve(l)
}

// ServePort listens on a port.
func ServePort(address string, h http.Handler) error {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	srv := &http.Server{Handler: h} // warn server-no-timeout
	return srv.Serve(l)
}

type users struct {
	mu    sync.Mutex
	db    *sql.DB
	stats map[string]int
}

// Reset asks a file of its own under the lock.
func (u *users) Reset() error {
	u.mu.Lock()
	defer u.mu.Unlock()
	if _, err := u.db.Exec("UPDATE user SET messages = 0"); err != nil { // hint lock-held-across-wait
		return err
	}
	u.stats = map[string]int{}
	return nil
}

type tokens struct {
	mu     sync.Mutex
	http   *http.Client
	url    string
	token  string
	expiry time.Time
	wanted map[string]bool
}

// Token is asked for when it has run out, by whoever comes first.
func (t *tokens) Token() (string, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if time.Until(t.expiry) > time.Minute {
		return t.token, nil
	}
	resp, err := t.http.Get(t.url) // hint lock-held-across-wait
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	var got struct {
		Token   string
		Expires time.Time
	}
	if err := json.NewDecoder(resp.Body).Decode(&got); err != nil {
		return "", err
	}
	t.token, t.expiry = got.Token, got.Expires
	return t.token, nil
}

// Tell asks for each, under the same lock.
func (t *tokens) Tell(name string) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	resp, err := t.http.Get(t.url + name) // warn lock-held-across-wait
	if err != nil {
		return err
	}
	t.wanted[name] = resp.StatusCode == http.StatusOK // hint map-only-grows
	return resp.Body.Close()
}

type barrier struct {
	mu    sync.Mutex
	ready chan int
}

// Sync waits as long as its caller says.
func (b *barrier) Sync(timeout time.Duration) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	var err error
	select { // hint lock-held-across-wait
	case <-b.ready:
	case <-time.After(timeout):
		err = fmt.Errorf("timeout")
	}
	return err
}

type conn struct {
	net.Conn
	end chan struct{}
}

func (c *conn) run() {
	for {
		select {
		case <-c.end:
			return
		case <-time.After(time.Second):
		}
	}
}

// Accept gives back what its goroutine belongs to.
func Accept(w http.ResponseWriter, r *http.Request) *conn {
	c := &conn{end: make(chan struct{})}
	go c.run() // hint goroutine-unbounded
	return c
}

// Keep gives nothing back.
func Keep(w http.ResponseWriter, r *http.Request) {
	c := &conn{end: make(chan struct{})}
	go c.run() // warn goroutine-unbounded
}

type source struct {
	reload, inner chan int
	done          chan struct{}
}

// Run hands a word on, and gives up when the context ends.
func (s *source) Run(ctx context.Context) {
	for {
		select {
		case n := <-s.reload:
			go func() { // hint goroutine-unbounded
				select {
				case s.inner <- n:
				case <-ctx.Done():
				}
			}()
		case <-s.done:
			return
		}
	}
}

// Zip closes a few files at the end, and Backup many.
func Zip() error {
	names := []string{"a.json", "b.json"}
	for _, name := range names {
		f, err := os.Open(name)
		if err != nil {
			return err
		}
		defer f.Close() // hint defer-in-loop
	}
	return nil
}

// Backup opens whatever it is given.
func Backup(names []string) error {
	for _, name := range names {
		f, err := os.Open(name)
		if err != nil {
			return err
		}
		defer f.Close() // warn defer-in-loop
	}
	return nil
}

// Collect removes its files at the end.
func Collect(names []string) error {
	for _, name := range names {
		if err := os.WriteFile(name, nil, 0o600); err != nil {
			return err
		}
		defer func() { // hint defer-in-loop
			_ = os.Remove(name)
		}()
	}
	return nil
}

type store struct {
	messageCache *messages
}

type messages struct{ all []string }

// Expired is what is to be thrown away.
func (m *messages) Expired() []string { return m.all }

// Entries is all.
func (m *messages) Entries() []string { return m.all }

// Prune goes through what is over.
func (s *store) Prune(w http.ResponseWriter, r *http.Request) {
	for _, id := range s.messageCache.Expired() { // hint config-length-loop
		fmt.Fprintln(w, id)
	}
}

// List goes through all.
func (s *store) List(w http.ResponseWriter, r *http.Request) {
	for _, id := range s.messageCache.Entries() { // warn config-length-loop
		fmt.Fprintln(w, id)
	}
}

// Upgrade tells somebody at a terminal what it does.
func Upgrade(url string) error {
	fmt.Println("downloading...")
	resp, err := http.Get(url) // hint client-no-timeout
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	fmt.Println("upgraded")
	return nil
}

// Fetch tells nobody.
func Fetch(url string) error {
	resp, err := http.Get(url) // warn client-no-timeout
	if err != nil {
		return err
	}
	return resp.Body.Close()
}

type filters struct {
	mu   sync.RWMutex
	conf struct{ Lists, Loaded []string }
}

// Add is how somebody configures the lists.
func (f *filters) Add(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.conf.Lists = append(f.conf.Lists, r.FormValue("list"))
}

// Refresh publishes what the service loads.
func (f *filters) Refresh(all []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.conf.Loaded = all
}

// Show goes through both.
func (f *filters) Show(w http.ResponseWriter, r *http.Request) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	for _, l := range f.conf.Lists { // hint config-length-loop
		fmt.Fprintln(w, l)
	}
	for _, l := range f.conf.Loaded { // warn config-length-loop
		fmt.Fprintln(w, l)
	}
}
