package senttwins

import (
	"net"
	"net/http"
	"sync"

	"example.org/join"
)

// Tunnels has listeners, and connections that it takes over.
type Tunnels struct {
	mu    sync.Mutex
	list  []*Listener
	queue []*Listener
	byID  map[string]*Listener
}

// Listener is one of them.
type Listener struct{ l net.Listener }

// Remove takes one out, once.
func (t *Tunnels) Remove(l *Listener) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i, x := range t.list {
		if x == l {
			t.list = append(t.list[:i], t.list[i+1:]...) // hint slots-not-cleared
			break
		}
	}
}

// Expire takes out all that have ended: each leaves its slot.
func (t *Tunnels) Expire() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i := 0; i < len(t.queue); i++ {
		if t.queue[i].l == nil {
			t.queue = append(t.queue[:i], t.queue[i+1:]...) // warn slots-not-cleared
			i--
		}
	}
}

// List is for who runs the service: the file is named so.
func (t *Tunnels) List(w http.ResponseWriter, r *http.Request) {
	ids := make(map[*Listener]string, len(t.byID))
	for id, l := range t.byID {
		ids[l] = id // hint rebuilt-per-request
	}
	for _, l := range t.list { // want config-length-loop
		_, _ = w.Write([]byte(ids[l]))
	}
}

// Connect takes the connection over: its end no longer ends the context.
func Connect(w http.ResponseWriter, r *http.Request) {
	client, _, err := w.(http.Hijacker).Hijack()
	if err != nil {
		return
	}
	remote, err := net.Dial("tcp", r.URL.Host) // hint context-not-handed-on // warn dial-no-timeout
	if err != nil {
		return
	}
	go join.Both(client, remote) // hint goroutine-unbounded
}

// Proxy does not.
func Proxy(w http.ResponseWriter, r *http.Request) {
	remote, err := net.Dial("tcp", r.URL.Host) // warn context-not-handed-on dial-no-timeout
	if err != nil {
		return
	}
	join.Answer(w, remote)
}

// Probe serves as long as it looks.
func Probe(h http.Handler, look func() error) error {
	s := &http.Server{Addr: ":80", Handler: h} // hint server-no-timeout
	go s.ListenAndServe()
	defer s.Close()
	return look()
}

// Serve serves for ever.
func Serve(h http.Handler) error {
	s := &http.Server{Addr: ":80", Handler: h} // warn server-no-timeout
	return s.ListenAndServe()
}

// reader has a lock that it gives away.
type reader struct {
	rlock sync.Mutex
	size  int
}

func (r *reader) take(id int) (lock *sync.Mutex, ok bool) {
	r.rlock.Lock()
	if r.size == id {
		lock, ok = &r.rlock, true
		return lock, ok
	}
	r.rlock.Unlock()
	return nil, false
}

// Read is given the lock and gives it back.
func (r *reader) Read(id int) int {
	lock, ok := r.take(id)
	if !ok {
		return 0
	}
	defer lock.Unlock()
	return r.size
}
