// Package askedtwins asks others and hands over to loops as it should, or where this package does not tell, and
// beside that as it should not.
package askedtwins

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os/exec"
	"sync"

	"example.org/rest"
	"example.org/store"
)

// Fs asks a service by a client of another module.
type Fs struct {
	rest *rest.Client
	http *http.Client
	svc  *store.Service
	now  *store.Service
}

// callJSON gives a response whose body the other module has decoded.
func (f *Fs) callJSON(ctx context.Context, path string, v any) (resp *http.Response, err error) {
	err = f.rest.Retry(func() error {
		resp, err = f.rest.CallJSON(ctx, path, v)
		return err
	})
	return resp, err
}

// Info leaves open what was closed in callJSON.
func (f *Fs) Info(ctx context.Context, v any) (int, error) {
	resp, err := f.callJSON(ctx, "/info", v) // hint body-not-closed
	if err != nil {
		return 0, err
	}
	return resp.StatusCode, nil
}

// callRaw gives one as it came.
func (f *Fs) callRaw(ctx context.Context, url string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	return f.http.Do(req)
}

// Status leaves it open.
func (f *Fs) Status(ctx context.Context, url string) (int, error) {
	resp, err := f.callRaw(ctx, url) // warn body-not-closed
	if err != nil {
		return 0, err
	}
	return resp.StatusCode, nil
}

// statusError says what the other side answered.
type statusError struct{ code int }

func (e *statusError) Error() string { return http.StatusText(e.code) }

// Account returns where there was an error of its own kind: there is no response then.
func (f *Fs) Account(ctx context.Context, url string) ([]byte, error) {
	resp, err := f.callRaw(ctx, url)
	if e, ok := err.(*statusError); ok && e.code == http.StatusNotFound {
		return nil, errors.New("no account")
	}
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	return io.ReadAll(resp.Body)
}

// Other returns for a reason of another error.
func (f *Fs) Other(ctx context.Context, url string, before error) ([]byte, error) {
	resp, err := f.callRaw(ctx, url) // warn body-not-closed
	if err != nil {
		return nil, err
	}
	if e, ok := before.(*statusError); ok && e.code == http.StatusNotFound {
		return nil, errors.New("no account")
	}
	defer resp.Body.Close()
	return io.ReadAll(resp.Body)
}

// Connect makes what is kept: it may outlive the context. What it only uses does not.
func (f *Fs) Connect(ctx context.Context) error {
	var err error
	f.svc, err = store.NewService(context.Background(), "main") // hint context-not-handed-on
	if err != nil {
		return err
	}
	f.now.Configure(verbose(context.Background()))
	return f.now.Ping(context.Background()) // warn context-not-handed-on
}

type verboseKey struct{}

// verbose asks the context for a value alone.
func verbose(ctx context.Context) bool {
	v, _ := ctx.Value(verboseKey{}).(bool)
	return v
}

// Watched looks for the end of its context and ends the process then.
func Watched(ctx context.Context, program string) error {
	cmd := exec.Command(program) // hint context-not-handed-on
	go func() {
		<-ctx.Done()
		_ = cmd.Process.Kill()
	}()
	return cmd.Run()
}

// Unwatched does not.
func Unwatched(ctx context.Context, program string) error {
	return exec.Command(program).Run() // warn context-not-handed-on
}

// Cron has a loop that receives what is added and does not want the lock.
type Cron struct {
	mu      sync.Mutex
	running bool
	add     chan func()
	slow    chan func()
	jobs    []func()
}

// Add hands over to the loop under the lock.
func (c *Cron) Add(job func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.running {
		c.jobs = append(c.jobs, job)
		return
	}
	c.add <- job // hint lock-held-across-wait
}

// AddSlow hands over to a loop that wants the lock itself.
func (c *Cron) AddSlow(job func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.slow <- job // warn lock-held-across-wait
}

func (c *Cron) run(ctx context.Context) {
	for {
		select {
		case job := <-c.add:
			c.jobs = append(c.jobs, job)
		case <-ctx.Done():
			return
		}
	}
}

func (c *Cron) runSlow(ctx context.Context) {
	for {
		select {
		case job := <-c.slow:
			c.mu.Lock()
			c.jobs = append(c.jobs, job)
			c.mu.Unlock()
		case <-ctx.Done():
			return
		}
	}
}

// Start starts both.
func (c *Cron) Start(ctx context.Context) {
	go c.run(ctx)
	go c.runSlow(ctx)
}

// Keys asks for a key once and keeps it: who waits for the lock wants it too.
type Keys struct {
	mu   sync.Mutex
	db   *store.Client
	key  *store.Key
	seen map[string]bool
}

// Key gives the key.
func (k *Keys) Key(ctx context.Context) (*store.Key, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.key != nil {
		return k.key, nil
	}
	key, err := k.db.FetchKey(ctx) // hint lock-held-across-wait
	if err != nil {
		return nil, err
	}
	k.key = key
	return k.key, nil
}

// Mark asks for each name under the lock.
func (k *Keys) Mark(ctx context.Context, name string) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.seen[name] {
		return nil
	}
	if err := k.db.Put(ctx, name); err != nil { // warn lock-held-across-wait
		return err
	}
	k.seen[name] = true // want map-only-grows
	return nil
}

// sender gives its lock back where it fails; who has called it gives it back otherwise.
type sender struct {
	sendLock sync.Mutex
	state    sync.Mutex
	err      error
}

func (s *sender) acquireSendLock() error {
	s.sendLock.Lock()
	if s.err != nil {
		s.sendLock.Unlock()
		return s.err
	}
	return nil
}

func (s *sender) releaseSendLock() { s.sendLock.Unlock() }

// Check keeps a lock that nobody else gives back.
func (s *sender) Check() error {
	s.state.Lock() // warn lock-not-released
	if s.err != nil {
		return s.err
	}
	s.state.Unlock()
	return nil
}

// Send uses both.
func (s *sender) Send() error {
	if err := s.acquireSendLock(); err != nil {
		return err
	}
	defer s.releaseSendLock()
	return s.Check()
}

// Events reads as long as nobody says that it ends.
func Events(ctx context.Context, l net.Listener) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		go stream(ctx, conn) // want goroutine-unbounded
		go answer(conn)      // want goroutine-unbounded
	}
}

func stream(ctx context.Context, conn net.Conn) {
	defer conn.Close()
	buf := make([]byte, 512)
	for {
		select {
		case <-ctx.Done():
			return
		default:
		}
		if _, err := conn.Read(buf); err != nil { // hint conn-no-deadline
			return
		}
	}
}

func answer(conn net.Conn) {
	defer conn.Close()
	buf := make([]byte, 512)
	if _, err := conn.Read(buf); err != nil { // warn conn-no-deadline
		return
	}
	_, _ = conn.Write([]byte("ok"))
}

// monitor counts what is asked.
type monitor interface {
	Asked(ctx context.Context, name string)
}

// Counter has one.
type Counter struct{ monitoring monitor }

// Ask counts: nothing waits.
func (c *Counter) Ask(ctx context.Context, f *Fs) error {
	c.monitoring.Asked(context.Background(), "ask")
	return f.now.Ping(ctx)
}
