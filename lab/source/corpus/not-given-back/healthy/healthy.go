// What `not-given-back` must not find.
package healthy

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
	"time"
)

type fetcher struct {
	slots chan struct{}
	http  *http.Client
}

// A defer gives it back.
func (f *fetcher) deferred(ctx context.Context, url string) error {
	f.slots <- struct{}{}
	defer func() { <-f.slots }()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := f.http.Do(req)
	if err != nil {
		return err
	}
	return resp.Body.Close()
}

type gate struct{ free chan struct{} }

// Every path gives it back.
func (g *gate) every(work func() error) error {
	g.free <- struct{}{}
	if err := work(); err != nil {
		<-g.free
		return err
	}
	<-g.free
	return nil
}

type pool struct{ places chan struct{} }

// The goroutine gives it back.
func (p *pool) started(work func() error) error {
	p.places <- struct{}{}
	go func() {
		_ = work()
		<-p.places
	}()
	if p == nil {
		return errors.New("no pool")
	}
	return nil
}

type request struct{ addr string }

type registry struct {
	mu    sync.Mutex
	peers map[string]*request
}

// What succeeds keeps it: it is undone where it fails.
func (r *registry) add(id, addr string, tries int) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.peers[id] = &request{addr: addr}
	if tries > 3 {
		delete(r.peers, id)
		return errors.New("too many")
	}
	return nil
}

type waiting struct {
	mu      sync.Mutex
	answers map[string]chan string
}

// Another function deletes it when the answer comes late.
func (w *waiting) ask(ctx context.Context, id string) (string, error) {
	c := make(chan string, 1)
	w.mu.Lock()
	w.answers[id] = c
	w.mu.Unlock()
	select {
	case a := <-c:
		w.mu.Lock()
		delete(w.answers, id)
		w.mu.Unlock()
		return a, nil
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

func (w *waiting) answer(id, text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if c, ok := w.answers[id]; ok {
		select {
		case c <- text:
		default:
		}
		delete(w.answers, id)
	}
}

type event struct{ name string }

type hub struct {
	mu   sync.Mutex
	subs map[chan event]bool
}

// Who is given it gives it back.
func (h *hub) Subscribe() (chan event, error) {
	c := make(chan event, 16)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.subs[c] = true
	return c, nil
}

func (h *hub) Unsubscribe(c chan event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.subs, c)
}

// An error tells that nothing was taken.
func first(ctx context.Context, h *hub) (string, error) {
	c, err := h.Subscribe()
	if err != nil {
		return "", err
	}
	select {
	case e := <-c:
		h.Unsubscribe(c)
		return e.name, nil
	case <-ctx.Done():
		h.Unsubscribe(c)
		return "", ctx.Err()
	}
}

type session struct {
	events chan event
	conn   net.Conn
}

func (s *session) run(timeout time.Duration) error {
	return s.conn.SetDeadline(time.Now().Add(timeout))
}

// It goes on to a session, which has it from then on.
func open(h *hub, c net.Conn) (*session, error) {
	events, err := h.Subscribe()
	if err != nil {
		return nil, err
	}
	s := &session{events: events, conn: c}
	if err := s.run(time.Second); err != nil {
		return nil, err
	}
	h.Unsubscribe(events)
	return s, nil
}

type listener struct {
	handshakes chan struct{}
	accept     net.Listener
	quit       chan struct{}
}

// The channel was filled before: what is put in is what was taken out.
func (l *listener) listen() {
	for {
		select {
		case <-l.handshakes:
		case <-l.quit:
			return
		}
		c, err := l.accept.Accept()
		if err != nil {
			l.handshakes <- struct{}{}
			continue
		}
		c.Close()
		l.handshakes <- struct{}{}
	}
}

type tree struct {
	mu      sync.Mutex
	sources map[string]string
}

// Each round is about another: one is kept, another goes.
func (t *tree) follow(ctx context.Context, updates <-chan [2]string) {
	for {
		select {
		case <-ctx.Done():
			return
		case u := <-updates:
			t.mu.Lock()
			if u[1] != "" {
				t.sources[u[0]] = u[1]
			} else {
				delete(t.sources, u[0])
			}
			t.mu.Unlock()
		}
	}
}
