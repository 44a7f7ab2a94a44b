package room

import "sync"

type Room struct {
	mu      sync.RWMutex
	members map[string]chan []byte
}

func (r *Room) Broadcast(msg []byte) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	for _, ch := range r.members {
		ch <- msg // warn lock-held-across-wait
	}
}

func (r *Room) Names() []string {
	r.mu.RLock()
	defer r.mu.RUnlock()
	out := []string{}
	for name := range r.members {
		if r.Has(name) { // warn locked-again
			out = append(out, name)
		}
	}
	return out
}

func (r *Room) Has(name string) bool {
	r.mu.RLock()
	defer r.mu.RUnlock()
	_, ok := r.members[name]
	return ok
}
