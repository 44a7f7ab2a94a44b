// Command nil-channel has goroutines that use channels which were never made.
package main

import (
	"time"

	"example.com/causes/internal/plant"
)

// ---- a field that a constructor forgets

type watcher struct {
	events chan string
	quit   chan struct{}
}

func newWatcher(fixed bool) *watcher {
	w := &watcher{events: make(chan string)}
	if fixed {
		w.quit = make(chan struct{})
		plant.Later(func() { close(w.quit) })
	}
	return w
}

func (w *watcher) join() { <-w.quit }

func field(fixed bool) {
	w := newWatcher(fixed)
	for i := 0; i < 2; i++ {
		go func() {
			plant.Here("field", "stuck")
			w.join()
		}()
	}
}

// ---- a map that has no such key

type bus map[string]chan int

func (b bus) emit(topic string, n int) { b[topic] <- n }

func mapElement(fixed bool) {
	b := bus{"known": make(chan int)}
	topic := "unknown"
	if fixed {
		topic = "known"
		plant.AtEnd(func() { <-b["known"] })
	}
	go func() {
		plant.Here("map-element", "stuck")
		b.emit(topic, 1)
	}()
}

// ---- a variable that is declared and not made

func ranged(fixed bool) {
	var lines chan []byte
	if fixed {
		lines = make(chan []byte)
		plant.AtEnd(func() { close(lines) })
	}
	go func() {
		plant.Here("range", "stuck")
		for l := range lines {
			_ = l
		}
	}()
}

// ---- a select of which all cases are nil

type merger struct {
	a, b <-chan int
}

func (m *merger) run() (n int) {
	for {
		select {
		case v, ok := <-m.a:
			if !ok {
				m.a = nil
			}
			n += v
		case v, ok := <-m.b:
			if !ok {
				m.b = nil
			}
			n += v
		}
	}
}

func selected(fixed bool) {
	a, b := make(chan int), make(chan int)
	m := &merger{a, b}
	go func() {
		plant.Here("select", "stuck")
		m.run()
	}()
	close(a)
	if fixed {
		plant.Later(func() { close(b) })
	} else {
		close(b)
		time.Sleep(5 * time.Millisecond)
	}
}

// ---- a package variable that is made too late

var shutdown chan struct{}

func serve(requests <-chan string) {
	plant.Here("package-variable", "stuck")
	<-shutdown
}

func packageVariable(fixed bool) {
	if fixed {
		shutdown = make(chan struct{})
		c := shutdown
		plant.AtEnd(func() { close(c) })
	}
	go serve(nil)
	plant.Settle()
	if !fixed {
		shutdown = make(chan struct{})
	}
}

func main() {
	plant.Main(
		plant.Shape{Name: "field", Run: field},
		plant.Shape{Name: "map-element", Run: mapElement},
		plant.Shape{Name: "range", Run: ranged},
		plant.Shape{Name: "select", Run: selected},
		plant.Shape{Name: "package-variable", Run: packageVariable},
	)
}
