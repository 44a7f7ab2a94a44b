// A consumer puts the trace of each message into the context, and the context is the one that it already had: each value
// leads to all that were before.
package main

import (
	"context"
	"time"

	_ "example.com/ways/internal/profiled"
)

type traceKey struct{}

type trace struct {
	id    int
	spans [1200]int64
}

type consumer struct{ handled int }

//go:noinline
func newTrace(id int) *trace {
	t := &trace{id: id}
	for i := range t.spans {
		t.spans[i] = int64(id * i)
	}
	return t
}

func withTrace(ctx context.Context, id int) context.Context {
	return context.WithValue(ctx, traceKey{}, newTrace(id))
}

func (c *consumer) handle(ctx context.Context) {
	c.handled += ctx.Value(traceKey{}).(*trace).id & 1
}

func (c *consumer) run(ctx context.Context, messages <-chan int) {
	for m := range messages {
		ctx = withTrace(ctx, m)
		c.handle(ctx)
	}
}

func main() {
	messages := make(chan int)
	c := &consumer{}
	go c.run(context.Background(), messages)
	for m, began := 0, time.Now(); ; time.Sleep(time.Millisecond) {
		run := time.Since(began) - 1300*time.Millisecond
		for ; float64(m) < run.Seconds()*5000; m++ {
			messages <- m
		}
	}
}
