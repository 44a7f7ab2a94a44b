// What `append-never-cleared` must not find.
package healthy

import (
	"sync"
)

var audit []string

func Record(line string) {
	audit = append(audit, line)
	if len(audit) > 1000 {
		audit = audit[500:]
	}
}

type queue struct {
	mu    sync.Mutex
	items []int
}

func (q *queue) Push(n int) {
	q.mu.Lock()
	q.items = append(q.items, n)
	q.mu.Unlock()
}

func (q *queue) Drain() []int {
	q.mu.Lock()
	defer q.mu.Unlock()
	out := q.items
	q.items = nil
	return out
}

var handlers []func()

func Register(f func()) {
	handlers = append(handlers, f)
}

var codecs []string

func init() {
	codecs = append(codecs, "json")
}

type builder struct{ parts []string }

func (b *builder) Add(s string) *builder {
	b.parts = append(b.parts, s)
	return b
}

func collect(xs []int) (out []int) {
	for _, x := range xs {
		out = append(out, x)
	}
	return out
}

type ring struct {
	mu  sync.Mutex
	log []string
	max int
}

func (r *ring) Write(s string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.log) >= r.max {
		copy(r.log, r.log[1:])
		r.log[len(r.log)-1] = s
		return
	}
	r.log = append(r.log, s)
}
