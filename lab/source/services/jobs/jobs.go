// Package jobs starts things for requests.
package jobs

import (
	"context"
	"log"
	"net/http"
	"sync"
	"time"
)

// Event is something that happened.
type Event struct {
	Name string
	At   time.Time
}

// Tracker reports events.
type Tracker struct {
	out    chan Event
	client *http.Client
	once   sync.Once
	stop   chan struct{}
}

// Middleware starts a goroutine for each request.
func (t *Tracker) Middleware(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		go t.report(Event{Name: r.URL.Path, At: time.Now()}) // want goroutine-unbounded
		next.ServeHTTP(w, r)
	})
}

func (t *Tracker) report(e Event) {
	t.out <- e
}

// Offer drops where the queue is full: healthy.
func (t *Tracker) Offer(w http.ResponseWriter, r *http.Request) {
	select {
	case t.out <- Event{Name: r.URL.Path, At: time.Now()}:
	default:
		log.Print("dropped")
	}
	w.WriteHeader(http.StatusNoContent)
}

// Run sends what comes until it is stopped: healthy.
func (t *Tracker) Run() {
	for {
		select {
		case e := <-t.out:
			log.Print(e.Name)
		case <-t.stop:
			return
		}
	}
}

// Stop stops.
func (t *Tracker) Stop() { t.once.Do(func() { close(t.stop) }) }

// Slow waits for work of another goroutine with a timeout; the other cannot send after it.
func Slow(w http.ResponseWriter, r *http.Request) {
	done := make(chan string)
	go func() {
		time.Sleep(time.Second)
		done <- "ok" // want send-abandoned
	}()
	ctx, cancel := context.WithTimeout(r.Context(), 100*time.Millisecond)
	defer cancel()
	select {
	case s := <-done:
		_, _ = w.Write([]byte(s))
	case <-ctx.Done():
		w.WriteHeader(http.StatusGatewayTimeout)
	}
}

// SlowBuffered has room for the one: healthy.
func SlowBuffered(w http.ResponseWriter, r *http.Request) {
	done := make(chan string, 1)
	go func() {
		time.Sleep(time.Second)
		done <- "ok"
	}()
	select {
	case s := <-done:
		_, _ = w.Write([]byte(s))
	case <-r.Context().Done():
		w.WriteHeader(http.StatusGatewayTimeout)
	}
}

// withTimeout is a generic helper that leaks where the time is over.
func withTimeout[T any](d time.Duration, f func() T) (T, bool) {
	ch := make(chan T)
	go func() { ch <- f() }() // want send-abandoned
	select {
	case v := <-ch:
		return v, true
	case <-time.After(d):
		var zero T
		return zero, false
	}
}

// withRoom has room: healthy.
func withRoom[T any](ctx context.Context, f func() T) (T, error) {
	ch := make(chan T, 1)
	go func() { ch <- f() }()
	select {
	case v := <-ch:
		return v, nil
	case <-ctx.Done():
		var zero T
		return zero, ctx.Err()
	}
}

// Leak forgets cancel.
func Leak(ctx context.Context, f func(context.Context)) {
	ctx, _ = context.WithTimeout(ctx, time.Minute)
	f(ctx)
}

// Wait parks a goroutine on a context that nobody cancels.
func Wait(events <-chan Event) {
	go func() {
		for { // want goroutine-no-exit
			select { // want select-no-way-out
			case e := <-events:
				log.Print(e)
			}
		}
	}()
}

// Import starts a goroutine for each row of an upload.
func Import(w http.ResponseWriter, r *http.Request) {
	rows := parse(r)
	var wg sync.WaitGroup
	for _, row := range rows {
		wg.Add(1)
		go func() { // miss goroutine-unbounded
			defer wg.Done()
			save(row)
		}()
	}
	wg.Wait()
}

// ImportBounded has eight: healthy.
func ImportBounded(w http.ResponseWriter, r *http.Request) {
	rows := parse(r)
	ch := make(chan string)
	var wg sync.WaitGroup
	for range 8 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for row := range ch {
				save(row)
			}
		}()
	}
	for _, row := range rows {
		ch <- row
	}
	close(ch)
	wg.Wait()
}

func parse(r *http.Request) []string { return r.Header.Values("row") }
func save(string)                    { time.Sleep(time.Millisecond) }
