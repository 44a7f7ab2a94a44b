// Command cond-nobody-signals has goroutines that wait for conditions which nobody signals.
package main

import (
	"sync"
	"time"

	"example.com/causes/internal/plant"
)

// ---- a queue whose producer ended

type queue[T any] struct {
	mu    sync.Mutex
	some  *sync.Cond
	items []T
}

func newQueue[T any]() *queue[T] {
	q := new(queue[T])
	q.some = sync.NewCond(&q.mu)
	return q
}

func (q *queue[T]) pop() T {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.items) == 0 {
		q.some.Wait()
	}
	v := q.items[0]
	q.items = q.items[1:]
	return v
}

func (q *queue[T]) push(v T) {
	q.mu.Lock()
	q.items = append(q.items, v)
	q.mu.Unlock()
	q.some.Signal()
}

func queues(fixed bool) {
	q := newQueue[[]byte]()
	q.push([]byte("one"))
	for i := 0; i < 4; i++ {
		go func() {
			plant.Here("queue", "stuck")
			for {
				q.pop()
			}
		}()
	}
	if fixed {
		plant.Later(func() { q.push(nil) })
	}
}

// ---- Signal where Broadcast was meant

type gate struct {
	sync.Mutex
	*sync.Cond
	open bool
}

func (g *gate) pass() {
	g.Cond.L.Lock()
	for !g.open {
		g.Cond.Wait()
	}
	g.Cond.L.Unlock()
}

func signalled(fixed bool) {
	g := new(gate)
	g.Cond = sync.NewCond(&g.Mutex)
	for i := 0; i < 5; i++ {
		go func() {
			plant.Here("signal", "stuck")
			g.pass()
		}()
	}
	time.Sleep(30 * time.Millisecond)
	if fixed {
		plant.AtEnd(func() {
			g.open = true
			g.Broadcast()
		})
		return
	}
	g.Cond.L.Lock()
	g.open = true
	g.Cond.L.Unlock()
	g.Signal()
}

// ---- by value in a struct, on a read locker

type stage struct {
	mu      sync.RWMutex
	changed sync.Cond
	version int
}

func (s *stage) await(version int) {
	s.mu.RLock()
	for s.version < version {
		s.changed.Wait()
	}
	s.mu.RUnlock()
}

func stages(fixed bool) {
	s := new(stage)
	s.changed.L = s.mu.RLocker()
	go func() {
		plant.Here("by-value", "stuck")
		s.await(3)
	}()
	if fixed {
		go func() {
			time.Sleep(time.Hour)
			s.changed.Broadcast()
		}()
	}
}

// ---- a package variable

var (
	slots sync.Mutex
	free  = sync.NewCond(&slots)
	used  = 8
)

func acquire() {
	slots.Lock()
	defer slots.Unlock()
	for used >= 8 {
		free.Wait()
	}
	used++
}

func packageVariable(fixed bool) {
	for i := 0; i < 3; i++ {
		go func() {
			plant.Here("package-variable", "stuck")
			acquire()
		}()
	}
	if fixed {
		plant.Later(free.Broadcast)
	}
}

func main() {
	plant.Main(
		plant.Shape{Name: "queue", Run: queues},
		plant.Shape{Name: "signal", Run: signalled},
		plant.Shape{Name: "by-value", Run: stages},
		plant.Shape{Name: "package-variable", Run: packageVariable},
	)
}
