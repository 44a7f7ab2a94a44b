// Package bugs has the ways in which a release of the service can go wrong: one file each, a function with a
// name that such code has in life. A release names those that came with it.
package bugs

import (
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// Surroundings is what some of them need.
type Surroundings struct {
	// Silent is a HOST:PORT that takes connections and never says a word.
	Silent string
	// Scratch is a folder for files.
	Scratch string
}

// Bug does its harm once, and lets go of nothing.
type Bug interface {
	Strike(bytes int, around Surroundings)
}

// Released is a bug as it came with a release.
type Released struct {
	Name string
	Bug  Bug
	// From says when it begins: "start" of the process, or "trigger": when somebody triggers it.
	From string
	// Of says what has it strike: "second" or "request".
	Of string
	// Rate is how often it strikes a second, or a request.
	Rate float64
	// Bytes is what each strike takes.
	Bytes int
}

type armed struct {
	Released
	on   atomic.Bool
	owed struct {
		sync.Mutex
		strikes float64
	}
}

// All are the bugs of a process.
type All struct {
	around Surroundings
	bugs   []*armed
}

// Arm prepares the bugs of a release.
func Arm(released []Released, around Surroundings) *All {
	all := &All{around: around}
	for _, r := range released {
		all.bugs = append(all.bugs, &armed{Released: r})
	}
	return all
}

// Start lets those begin that begin with the process.
func (a *All) Start() {
	for _, b := range a.bugs {
		if b.From == "start" {
			b.on.Store(true)
		}
		if b.Of == "second" {
			go a.everySecond(b)
		}
	}
}

// everySecond strikes at a rate, in small steps.
func (a *All) everySecond(b *armed) {
	const step = 50 * time.Millisecond
	for range time.Tick(step) {
		if b.on.Load() {
			a.strike(b, b.Rate*step.Seconds())
		}
	}
}

// OfRequest is called for each request.
func (a *All) OfRequest() {
	for _, b := range a.bugs {
		if b.Of == "request" && b.on.Load() {
			a.strike(b, b.Rate)
		}
	}
}

// strike carries fractions over.
func (a *All) strike(b *armed, times float64) {
	b.owed.Lock()
	b.owed.strikes += times
	whole := int(b.owed.strikes)
	b.owed.strikes -= float64(whole)
	b.owed.Unlock()
	for i := 0; i < whole; i++ {
		b.Bug.Strike(b.Bytes, a.around)
	}
}

// Trigger is POST /lab/trigger?bug=NAME[&off=1].
func (a *All) Trigger(w http.ResponseWriter, r *http.Request) {
	name := r.URL.Query().Get("bug")
	for _, b := range a.bugs {
		if b.Name == name {
			b.on.Store(r.URL.Query().Get("off") == "")
			return
		}
	}
	http.Error(w, fmt.Sprintf("no bug %q in this release", name), http.StatusNotFound)
}

// filled is memory that is resident.
func filled(bytes int) []byte {
	b := make([]byte, bytes)
	for i := 0; i < len(b); i += 512 {
		b[i] = byte(i)
	}
	return b
}
