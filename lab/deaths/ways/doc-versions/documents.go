package main

import (
	"strings"
	"sync"
	"time"
)

// revision is a document at a time; readers go on with the one that they began with.
type revision struct {
	number int
	at     time.Time
	text   string
	prev   *revision
}

type documents struct {
	mu     sync.RWMutex
	latest map[string]*revision
}

func (d *documents) read(name string) *revision {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.latest[name]
}

func (d *documents) write(name, text string) *revision {
	d.mu.Lock()
	defer d.mu.Unlock()
	r := &revision{at: time.Now(), text: text, prev: d.latest[name]}
	if r.prev != nil {
		r.number = r.prev.number + 1
	}
	d.latest[name] = r
	return r
}

// undo goes back by one revision.
func (d *documents) undo(name string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if r := d.latest[name]; r != nil && r.prev != nil {
		d.latest[name] = r.prev
	}
}

type editor struct{ documents *documents }

func (e *editor) replace(name, old, new string) int {
	r := e.documents.read(name)
	return e.documents.write(name, strings.Replace(r.text, old, new, 1)).number
}
