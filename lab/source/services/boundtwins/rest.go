package boundtwins

import (
	"context"
	"io"
	"log"
	"net"
	"os"
	"sync"
	"time"
)

type selectors map[string]bool

var sets = sync.Pool{New: func() any { return selectors{} }}

func take(name string) (selectors, func()) {
	s := sets.Get().(selectors)
	s[name] = true
	return s, func() { sets.Put(s) }
}

// Notify keeps each set until all have been told.
func Notify(names []string, tell func(selectors)) {
	var all []selectors
	for _, name := range names {
		set, done := take(name)
		defer done()
		all = append(all, set)
	}
	for _, set := range all {
		tell(set)
	}
}

// NotifyEach needs one at a time, and gives back little.
func NotifyEach(names []string, tell func(selectors)) {
	for _, name := range names {
		set, done := take(name)
		defer done() // hint defer-in-loop
		tell(set)
	}
}

// NotifyFiles needs one at a time, and each is a descriptor.
func NotifyFiles(names []string, tell func(io.Reader)) error {
	for _, name := range names {
		f, err := os.Open(name)
		if err != nil {
			return err
		}
		defer f.Close() // warn defer-in-loop
		tell(f)
	}
	return nil
}

type session struct{ buf []byte }

// Sessions has idle ones, and a list.
type Sessions struct {
	mu   sync.Mutex
	idle []*session
	all  []*session
	jobs []*session
}

// Get hands out the last.
func (s *Sessions) Get() *session {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := len(s.jobs) - 1
	one := s.jobs[n]
	s.jobs = s.jobs[:n] // hint slots-not-cleared
	return one
}

// Take moves the others up.
func (s *Sessions) Take() {
	s.mu.Lock()
	defer s.mu.Unlock()
	copy(s.all, s.all[1:])
	s.all = s.all[:len(s.all)-1] // hint slots-not-cleared
}

// Evict drops an idle one: its slot is filled by the next.
func (s *Sessions) Evict() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.idle = s.idle[:len(s.idle)-1] // hint slots-not-cleared
}

// Drop forgets the last, and nothing says that another comes.
func (s *Sessions) Drop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.jobs = s.jobs[:len(s.jobs)-1] // warn slots-not-cleared
}

// Forget looks for one by number.
func (s *Sessions) Forget(one *session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := 0; i < len(s.all); i++ {
		if s.all[i] == one {
			s.all = append(s.all[:i], s.all[i+1:]...) // hint slots-not-cleared
			return
		}
	}
}

// Trigger asks before it sends whether somebody is there.
func Trigger(ctx context.Context, work func(context.Context) error) error {
	done := make(chan error)
	go func() {
		if err := work(ctx); err != nil {
			if ctx.Err() == nil {
				done <- err // hint send-abandoned
			}
		}
		close(done)
	}()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// TriggerTwin does not ask.
func TriggerTwin(ctx context.Context, work func(context.Context) error) error {
	done := make(chan error)
	go func() {
		if err := work(ctx); err != nil {
			done <- err // warn send-abandoned
		}
		close(done)
	}()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Stop is called once.
func Stop(ctx context.Context, flush func()) {
	done := make(chan struct{})
	go func() {
		flush()
		done <- struct{}{} // hint send-abandoned
	}()
	select {
	case <-done:
	case <-ctx.Done():
	}
}

// Key runs when the program starts.
func Key(name string) []byte {
	f, err := os.Open(name) // hint file-not-closed
	if err != nil {
		log.Fatal(err)
	}
	b, err := io.ReadAll(f)
	if err != nil {
		log.Fatal(err)
	}
	return b
}

// KeyTwin gives its failures back.
func KeyTwin(name string) ([]byte, error) {
	f, err := os.Open(name) // warn file-not-closed
	if err != nil {
		return nil, err
	}
	return io.ReadAll(f)
}

// Subscribe reads for as long as the other side lives.
func Subscribe(addr string, got chan<- []byte) error {
	conn, err := (&net.Dialer{Timeout: time.Second}).Dial("tcp", addr)
	if err != nil {
		return err
	}
	go func() {
		defer close(got)
		for {
			b, err := readAll(conn, 8)
			if err != nil {
				return
			}
			got <- b
		}
	}()
	return nil
}

func readAll(conn net.Conn, n int) ([]byte, error) {
	b := make([]byte, n)
	_, err := io.ReadFull(conn, b) // hint conn-no-deadline
	return b, err
}

// Ask waits for one answer.
func Ask(addr string) ([]byte, error) {
	conn, err := (&net.Dialer{Timeout: time.Second}).Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	return readOne(conn)
}

func readOne(conn net.Conn) ([]byte, error) {
	b := make([]byte, 8)
	_, err := io.ReadFull(conn, b) // warn conn-no-deadline
	return b, err
}
