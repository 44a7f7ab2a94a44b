// Command context-never-cancelled has goroutines that wait for the end of contexts which nobody ends.
package main

import (
	"context"
	"time"

	"example.com/causes/internal/plant"
)

// ---- a watch: its cancel function is thrown away

type update struct{ key, value string }

func watch(ctx context.Context, updates <-chan update) {
	for {
		select {
		case <-ctx.Done():
			return
		case u := <-updates:
			_ = u
		}
	}
}

func watches(fixed bool) {
	for i := 0; i < 3; i++ {
		ctx, cancel := context.WithCancel(context.Background())
		if fixed {
			plant.AtEnd(cancel)
		}
		go func() {
			plant.Here("watch", "stuck")
			watch(ctx, make(chan update))
		}()
	}
}

// ---- a plain wait for Done, values around it

type key struct{}

func clean(ctx context.Context, f func()) {
	<-ctx.Done()
	f()
}

func values(fixed bool) {
	ctx, cancel := context.WithCancel(context.Background())
	if fixed {
		cancel()
		ctx, cancel = context.WithTimeout(context.Background(), time.Hour)
	}
	_ = cancel
	ctx = context.WithValue(context.WithValue(ctx, key{}, "request 7"), "user", "ann")
	go func() {
		plant.Here("values", "stuck")
		clean(ctx, func() {})
	}()
}

// ---- a struct that keeps context and cancel, and is lost with them

type worker struct {
	ctx    context.Context
	cancel context.CancelFunc
	jobs   chan func()
}

func newWorker() *worker {
	w := &worker{jobs: make(chan func(), 4)}
	w.ctx, w.cancel = context.WithCancel(context.Background())
	go w.loop()
	return w
}

func (w *worker) loop() {
	plant.Here("worker", "stuck")
	for {
		select {
		case <-w.ctx.Done():
			return
		case f := <-w.jobs:
			f()
		}
	}
}

func workers(fixed bool) {
	for i := 0; i < 3; i++ {
		w := newWorker()
		if fixed {
			plant.AtEnd(w.cancel)
		}
	}
}

// ---- a group whose context ends with the first error, and there is none

type group struct {
	ctx    context.Context
	cancel func()
}

func (g *group) start(f func(context.Context) error) {
	go func() {
		if err := f(g.ctx); err != nil {
			g.cancel()
		}
	}()
}

func groups(fixed bool) {
	g := new(group)
	g.ctx, g.cancel = context.WithCancel(context.Background())
	if fixed {
		g.ctx, g.cancel = context.WithDeadline(context.Background(), time.Now().Add(time.Hour))
	}
	g.start(func(context.Context) error { return nil })
	g.start(func(ctx context.Context) error {
		plant.Here("group", "stuck")
		<-ctx.Done()
		return ctx.Err()
	})
}

// ---- a context type of its own between the two: the library waits in a goroutine

type traced struct {
	context.Context
	id string
}

func (t traced) Done() <-chan struct{} { return t.Context.(*box).done }

type box struct {
	context.Context
	done chan struct{}
}

func foreign(fixed bool) {
	b := &box{context.Background(), make(chan struct{})}
	parent := traced{b, "x"}
	ctx, cancel := context.WithCancel(parent)
	if fixed {
		plant.Later(func() { close(b.done) })
	}
	_ = cancel
	go func() {
		plant.Here("foreign", "stuck")
		<-ctx.Done()
	}()
	time.Sleep(20 * time.Millisecond)
	// Before Go 1.21, and since.
	plant.Find("foreign", "library", "context.propagateCancel.func1")
	plant.Find("foreign", "library", "context.(*cancelCtx).propagateCancel.func2")
}

// ---- a package variable

var root, stop = context.WithCancel(context.Background())

func packageVariable(fixed bool) {
	if fixed {
		plant.Later(stop)
	}
	go func() {
		plant.Here("package-variable", "stuck")
		<-root.Done()
	}()
}

func main() {
	plant.Main(
		plant.Shape{Name: "watch", Run: watches},
		plant.Shape{Name: "values", Run: values},
		plant.Shape{Name: "worker", Run: workers},
		plant.Shape{Name: "group", Run: groups},
		plant.Shape{Name: "foreign", Run: foreign},
		plant.Shape{Name: "package-variable", Run: packageVariable},
	)
}
