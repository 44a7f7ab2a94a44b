// Command send-nobody-receives has goroutines that send on channels whose receiver has left.
package main

import (
	"context"
	"errors"
	"sync"
	"time"

	"example.com/causes/internal/plant"
)

type answer struct {
	from string
	body []byte
}

// wait is how long a receiver has patience: of the program repaired, until long after it was looked at.
func wait(fixed bool) time.Duration {
	if fixed {
		return time.Hour
	}
	return 10 * time.Millisecond
}

// slow is an answer that comes when nobody waits any more.
func slow(fixed bool) *answer {
	time.Sleep(2 * wait(fixed))
	return &answer{"slow", make([]byte, 2000)}
}

// ---- a call with a timeout, over an unbuffered channel

func callWithTimeout(fixed bool) (*answer, error) {
	ch := make(chan *answer)
	if fixed {
		ch = make(chan *answer, 1)
	}
	go func() {
		plant.Here("timeout", "stuck")
		ch <- slow(fixed)
	}()
	select {
	case a := <-ch:
		return a, nil
	case <-time.After(wait(fixed)):
		return nil, errors.New("timeout")
	}
}

func timeout(fixed bool) {
	for i := 0; i < 5; i++ {
		go callWithTimeout(fixed)
	}
	time.Sleep(60 * time.Millisecond)
}

// ---- the first of several wins

type replica struct{ name string }

func (r replica) ask(q string, to chan<- answer) {
	plant.Here("first-wins", "stuck")
	to <- answer{r.name, []byte(q)}
}

func firstWins(fixed bool) {
	replicas := []replica{{"a"}, {"b"}, {"c"}, {"d"}}
	to := make(chan answer)
	for _, r := range replicas {
		go r.ask("who", to)
	}
	if fixed {
		// Who collects all of them does so when the program ends.
		plant.AtEnd(func() {
			for range replicas {
				<-to
			}
		})
		return
	}
	<-to
}

// ---- a full buffer: the worker that emptied it gave up

type mailer struct {
	outbox chan *mail
	sent   int
}

type mail struct {
	to   string
	text [300]byte
}

func (m *mailer) work(failing bool) {
	for range m.outbox {
		if failing {
			return
		}
		m.sent++
	}
}

func (m *mailer) send(to string) {
	plant.Here("full-buffer", "stuck")
	m.outbox <- &mail{to: to}
}

func fullBuffer(fixed bool) {
	m := &mailer{outbox: make(chan *mail, 4)}
	if fixed {
		plant.Later(func() { m.work(false) })
		for i := 0; i < 4; i++ {
			m.outbox <- new(mail)
		}
	} else {
		go m.work(true)
		for i := 0; i < 5; i++ {
			m.outbox <- new(mail)
		}
	}
	for i := 0; i < 3; i++ {
		go m.send("somebody")
	}
}

// ---- a pipeline whose last stage returned early

func generate(n int) <-chan int {
	out := make(chan int)
	go func() {
		plant.Here("pipeline", "behind")
		defer close(out)
		for i := 0; i < n; i++ {
			out <- i
		}
	}()
	return out
}

func stage[T, U any](in <-chan T, f func(T) U) <-chan U {
	out := make(chan U)
	go func() {
		plant.Here("pipeline", "stuck")
		defer close(out)
		for v := range in {
			out <- f(v)
		}
	}()
	return out
}

func pipeline(fixed bool) {
	squares := stage(generate(100), func(n int) int { return n * n })
	for sq := range squares {
		if sq > 20 {
			break
		}
	}
	if fixed {
		plant.AtEnd(func() {
			for range squares {
			}
		})
	}
}

// ---- subscribers that went, without being taken out of the map

type hub struct {
	mu   sync.Mutex
	subs map[string]chan<- interface{}
}

func (h *hub) subscribe(name string) <-chan interface{} {
	h.mu.Lock()
	defer h.mu.Unlock()
	c := make(chan interface{})
	h.subs[name] = c
	return c
}

func (h *hub) notify(event interface{}) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, c := range h.subs {
		c := c
		go func() {
			plant.Here("subscribers", "stuck")
			c <- event
		}()
	}
}

func subscribers(fixed bool) {
	h := &hub{subs: map[string]chan<- interface{}{}}
	for _, name := range []string{"log", "audit", "mirror"} {
		events := h.subscribe(name)
		if fixed {
			plant.Later(func() { <-events })
		}
	}
	h.notify(&answer{from: "hub"})
}

// ---- a package variable

var failures = make(chan error, 2)

func try(n int) {
	plant.Here("package-variable", "stuck")
	failures <- errors.New("failed")
}

func packageVariable(fixed bool) {
	failures <- nil
	failures <- nil
	if fixed {
		go func() {
			time.Sleep(time.Hour)
			for range failures {
			}
		}()
	}
	for i := 0; i < 3; i++ {
		go try(i)
	}
}

// ---- a reply to somebody whose context is over, in a sync.Map

type request struct {
	id    int
	reply chan interface{}
}

type router struct{ waiting sync.Map }

func (r *router) ask(ctx context.Context, id int) (interface{}, error) {
	q := &request{id, make(chan interface{})}
	r.waiting.Store(id, q)
	select {
	case a := <-q.reply:
		return a, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (r *router) deliver(id int, a interface{}) {
	plant.Here("reply", "stuck")
	if q, ok := r.waiting.Load(id); ok {
		q.(*request).reply <- a
	}
}

func reply(fixed bool) {
	r := new(router)
	for id := 0; id < 3; id++ {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Millisecond)
		_, _ = r.ask(ctx, id)
		cancel()
		if fixed {
			q, _ := r.waiting.Load(id)
			plant.AtEnd(func() { <-q.(*request).reply })
		}
		go r.deliver(id, &answer{from: "peer"})
	}
}

// ---- errors of parallel checks, of which the first ends the function

func check(names []string, fixed bool) error {
	size := 0
	if fixed {
		size = len(names)
	}
	errs := make(chan error, size)
	for _, n := range names {
		go func(n string) {
			if n == "" {
				errs <- errors.New("empty")
				return
			}
			plant.Here("errors", "stuck")
			time.Sleep(2 * wait(fixed))
			errs <- nil
		}(n)
	}
	for range names {
		if err := <-errs; err != nil {
			return err
		}
	}
	return nil
}

func errorsOfAll(fixed bool) {
	_ = check([]string{"a", "", "b"}, fixed)
	time.Sleep(40 * time.Millisecond)
}

func main() {
	plant.Main(
		plant.Shape{Name: "timeout", Run: timeout},
		plant.Shape{Name: "first-wins", Run: firstWins},
		plant.Shape{Name: "full-buffer", Run: fullBuffer},
		plant.Shape{Name: "pipeline", Run: pipeline},
		plant.Shape{Name: "subscribers", Run: subscribers},
		plant.Shape{Name: "package-variable", Run: packageVariable},
		plant.Shape{Name: "reply", Run: reply},
		plant.Shape{Name: "errors", Run: errorsOfAll},
	)
}
