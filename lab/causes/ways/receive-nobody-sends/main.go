// Command receive-nobody-sends has goroutines that receive from channels whose sender has left.
package main

import (
	"errors"
	"sync"
	"sync/atomic"

	"example.com/causes/internal/plant"
)

// ---- a promise that is never kept: the error path forgets it

type promise[T any] struct {
	done  chan struct{}
	value T
	err   error
}

func run[T any](f func() (T, error), fixed bool) *promise[T] {
	p := &promise[T]{done: make(chan struct{})}
	if fixed {
		plant.Later(func() { close(p.done) })
		return p
	}
	go func() {
		v, err := f()
		if err != nil {
			return
		}
		p.value = v
		close(p.done)
	}()
	return p
}

func (p *promise[T]) get() (T, error) {
	<-p.done
	return p.value, p.err
}

func promises(fixed bool) {
	p := run(func() (string, error) { return "", errors.New("no answer") }, fixed)
	for i := 0; i < 3; i++ {
		go func() {
			plant.Here("promise", "stuck")
			_, _ = p.get()
		}()
	}
}

// ---- tokens of a limiter that were not put back

type limiter struct {
	tokens chan struct{}
	name   string
}

func newLimiter(name string, n int) *limiter {
	l := &limiter{make(chan struct{}, n), name}
	for i := 0; i < n; i++ {
		l.tokens <- struct{}{}
	}
	return l
}

func (l *limiter) do(f func() error) error {
	<-l.tokens
	if err := f(); err != nil {
		return err
	}
	l.tokens <- struct{}{}
	return nil
}

func tokens(fixed bool) {
	l := newLimiter("uploads", 2)
	for i := 0; i < 2; i++ {
		_ = l.do(func() error { return errors.New("disk full") })
	}
	if fixed {
		plant.AtEnd(func() { l.tokens <- struct{}{} })
	}
	for i := 0; i < 4; i++ {
		go func() {
			plant.Here("tokens", "stuck")
			_ = l.do(func() error { return nil })
		}()
	}
}

// ---- a request that was dropped from a queue, and its reply with it

type job struct {
	name  string
	reply chan int
}

type pool struct {
	jobs  chan job
	drops int
}

func (p *pool) submit(name string) <-chan int {
	j := job{name, make(chan int)}
	select {
	case p.jobs <- j:
	default:
		p.drops++
	}
	return j.reply
}

func dropped(fixed bool) {
	p := &pool{jobs: make(chan job, 1)}
	p.submit("first")
	for i := 0; i < 3; i++ {
		reply := p.submit("next")
		if fixed {
			p.jobs = make(chan job, 10)
			reply = p.submit("again")
			jobs := p.jobs
			plant.Later(func() { (<-jobs).reply <- 1 })
		}
		go func() {
			plant.Here("dropped", "stuck")
			<-reply
		}()
	}
}

// ---- one flight for all: who leads it panics, and those who follow wait

type flights struct {
	mu sync.Mutex
	of map[string]*flight
}

type flight struct {
	landed chan struct{}
	value  interface{}
}

func (f *flights) do(key string, fn func() interface{}, fixed bool) interface{} {
	f.mu.Lock()
	if c, ok := f.of[key]; ok {
		f.mu.Unlock()
		<-c.landed
		return c.value
	}
	c := &flight{landed: make(chan struct{})}
	f.of[key] = c
	f.mu.Unlock()
	if fixed {
		plant.AtEnd(func() { close(c.landed) })
		return nil
	}
	c.value = fn()
	close(c.landed)
	return c.value
}

func oneFlight(fixed bool) {
	f := &flights{of: map[string]*flight{}}
	func() {
		defer func() { _ = recover() }()
		f.do("user:1", func() interface{} { panic("connection reset") }, fixed)
	}()
	for i := 0; i < 4; i++ {
		go func() {
			plant.Here("flight", "stuck")
			f.do("user:1", nil, fixed)
		}()
	}
}

// ---- who produced returned at an error and did not close

func numbers(n int, out chan<- int, fixed bool) error {
	if fixed {
		plant.Later(func() { close(out) })
		return nil
	}
	for i := 0; i < n; i++ {
		if i == 3 {
			return errors.New("end of file")
		}
		out <- i
	}
	close(out)
	return nil
}

func sum(in <-chan int) (n int) {
	for {
		v, ok := <-in
		if !ok {
			return n
		}
		n += v
	}
}

func producer(fixed bool) {
	c := make(chan int)
	go func() {
		plant.Here("producer", "stuck")
		sum(c)
	}()
	_ = numbers(10, c, fixed)
}

// ---- a package variable: who waits for a reload

var reloaded atomic.Value

func init() { reloaded.Store(make(chan struct{})) }

func waitForReload() {
	<-reloaded.Load().(chan struct{})
}

func packageVariable(fixed bool) {
	for i := 0; i < 2; i++ {
		go func() {
			plant.Here("package-variable", "stuck")
			waitForReload()
		}()
	}
	if fixed {
		plant.Later(func() { close(reloaded.Load().(chan struct{})) })
	}
}

// ---- two that wait for each other, by channels

type player struct {
	in, out chan int
}

func (p player) play(serve bool) {
	if serve {
		p.out <- 0
	}
	for {
		p.out <- <-p.in + 1
	}
}

func eachOther(fixed bool) {
	a, b := make(chan int), make(chan int)
	go func() {
		plant.Here("each-other", "stuck")
		player{a, b}.play(false)
	}()
	go func() {
		plant.Here("each-other", "stuck")
		player{b, a}.play(false)
	}()
	if fixed {
		plant.AtEnd(func() { a <- 1 })
	}
}

func main() {
	plant.Main(
		plant.Shape{Name: "promise", Run: promises},
		plant.Shape{Name: "tokens", Run: tokens},
		plant.Shape{Name: "dropped", Run: dropped},
		plant.Shape{Name: "flight", Run: oneFlight},
		plant.Shape{Name: "producer", Run: producer},
		plant.Shape{Name: "package-variable", Run: packageVariable},
		plant.Shape{Name: "each-other", Run: eachOther},
	)
}
