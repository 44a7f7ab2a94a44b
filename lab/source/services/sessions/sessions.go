package sessions

import (
	"net/http"
	"sync"
	"time"
)

type Session struct {
	User    string
	Created time.Time
}

var (
	mu       sync.Mutex
	sessions = map[string]*Session{}
)

func Login(w http.ResponseWriter, r *http.Request) {
	id := r.Header.Get("X-Request-Id")
	mu.Lock()
	sessions[id] = &Session{User: r.FormValue("user"), Created: time.Now()} // warn map-only-grows
	mu.Unlock()
	go notify(id) // warn goroutine-unbounded
}

func notify(id string) {
	for { // warn goroutine-no-exit
		mu.Lock()
		s := sessions[id]
		mu.Unlock()
		if s == nil {
			continue
		}
		time.Sleep(time.Second)
	}
}
