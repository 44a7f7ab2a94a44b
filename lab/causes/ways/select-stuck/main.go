// Command select-stuck has goroutines that wait in a select none of whose cases can come true.
package main

import (
	"sync"
	"time"

	"example.com/causes/internal/plant"
)

// ---- an actor whose owner is gone: commands and quit

type actor struct {
	commands chan func(*state)
	quit     chan struct{}
}

type state struct{ values map[string]int }

func start() *actor {
	a := &actor{make(chan func(*state)), make(chan struct{})}
	go a.loop()
	return a
}

func (a *actor) loop() {
	plant.Here("actor", "stuck")
	s := &state{values: map[string]int{}}
	for {
		select {
		case f := <-a.commands:
			f(s)
		case <-a.quit:
			return
		}
	}
}

func actors(fixed bool) {
	for i := 0; i < 4; i++ {
		a := start()
		a.commands <- func(s *state) { s.values["x"] = 1 }
		if fixed {
			plant.AtEnd(func() { close(a.quit) })
		}
	}
}

// ---- a send and a receive

type link[T any] struct {
	in  <-chan T
	out chan<- T
	ack chan struct{}
}

func (l *link[T]) move() {
	var held []T
	for {
		var out chan<- T
		var next T
		if len(held) > 0 {
			out, next = l.out, held[0]
		}
		select {
		case v := <-l.in:
			held = append(held, v)
		case out <- next:
			held = held[1:]
		case <-l.ack:
		}
	}
}

func links(fixed bool) {
	in, out := make(chan []byte), make(chan []byte)
	l := &link[[]byte]{in, out, make(chan struct{})}
	go func() {
		plant.Here("link", "stuck")
		l.move()
	}()
	in <- make([]byte, 1000)
	in <- make([]byte, 1000)
	if fixed {
		plant.Later(func() { <-out })
	}
}

// ---- a session between a client and a server, both gone

type session struct {
	sync.Mutex
	inbox, outbox chan string
	closed        chan bool
	name          string
}

type sessions struct{ byName map[string]*session }

func (s *session) serve() {
	for {
		select {
		case m := <-s.inbox:
			select {
			case s.outbox <- "re: " + m:
			case <-s.closed:
				return
			}
		case <-s.closed:
			return
		}
	}
}

func session1(fixed bool) {
	all := &sessions{map[string]*session{}}
	for _, name := range []string{"ann", "bob"} {
		s := &session{inbox: make(chan string), outbox: make(chan string), closed: make(chan bool), name: name}
		all.byName[name] = s
		go func() {
			plant.Here("session", "stuck")
			s.serve()
		}()
		s.inbox <- "hello"
		if fixed {
			plant.Later(func() { close(s.closed) })
		}
	}
}

// ---- package variables

var (
	pause  = make(chan struct{})
	resume = make(chan struct{})
)

func control() {
	plant.Here("package-variable", "stuck")
	for {
		select {
		case <-pause:
		case <-resume:
		}
	}
}

func packageVariable(fixed bool) {
	go control()
	if fixed {
		plant.AtEnd(func() { close(pause) })
	}
}

// ---- a timeout that was stopped

func retry(results <-chan int, again <-chan struct{}, fixed bool) {
	t := time.NewTimer(time.Hour)
	if !fixed {
		t.Stop()
	}
	select {
	case <-results:
	case <-again:
	case <-t.C:
	}
}

func stoppedTimer(fixed bool) {
	go func() {
		plant.Here("stopped-timer", "stuck")
		retry(make(chan int), make(chan struct{}), fixed)
	}()
}

func main() {
	plant.Main(
		plant.Shape{Name: "actor", Run: actors},
		plant.Shape{Name: "link", Run: links},
		plant.Shape{Name: "session", Run: session1},
		plant.Shape{Name: "package-variable", Run: packageVariable},
		plant.Shape{Name: "stopped-timer", Run: stoppedTimer},
	)
}
