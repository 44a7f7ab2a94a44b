// What `append-never-cleared` must find.
package sick

import (
	"net/http"
	"sync"
	"time"
)

var audit []string

func Record(line string) {
	audit = append(audit, line) // want append-never-cleared
}

type server struct {
	mu   sync.Mutex
	seen []string
	ids  []int64
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.seen = append(s.seen, r.URL.Path) // want append-never-cleared
	s.mu.Unlock()
}

type tracker struct {
	mu     sync.Mutex
	events []event
}

type event struct{ at time.Time }

func (t *tracker) Track(e event) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.events = append(t.events, e) // want append-never-cleared
}

var errs []error

func fail(err error) {
	if err != nil {
		errs = append(errs, err) // want append-never-cleared
	}
}

var samples []float64

func sample(v float64) {
	samples = append(samples, v) // want append-never-cleared
}

type metricsStore struct{ points []int64 }

func (m *metricsStore) Observe(v int64) {
	m.points = append(m.points, v) // want append-never-cleared
}

var buffers [][]byte

func handle(w http.ResponseWriter, r *http.Request) {
	b := make([]byte, 1024)
	r.Body.Read(b)
	buffers = append(buffers, b) // want append-never-cleared
}
