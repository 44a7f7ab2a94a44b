// The page of an order is told over a stream of events how the order gets on.
package main

import (
	"context"
	"fmt"
	"time"

	"example.com/ways/order-events/broker"

	_ "example.com/ways/internal/debugport"
)

type update struct {
	order  int
	status string
	place  [12]float64
}

type tracking struct{ updates *broker.Broker[update] }

// events is the handler behind the stream: it is there for as long as the page is open.
func (t *tracking) events(ctx context.Context, order string) (seen int) {
	s := t.updates.Subscribe(order, 128)
	defer t.updates.Unsubscribe(s)
	for {
		select {
		case <-s.C:
			seen++
		case <-ctx.Done():
			return seen
		}
	}
}

func open(t *tracking, order string) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Millisecond)
	defer cancel()
	t.events(ctx, order)
}

// every does something so many times a second.
func every(perSecond float64, do func(n int)) {
	for n, began := 0, time.Now(); ; time.Sleep(time.Millisecond) {
		for ; float64(n) < time.Since(began).Seconds()*perSecond; n++ {
			do(n)
		}
	}
}

func main() {
	t := &tracking{updates: broker.New[update]()}
	calm := time.Now().Add(1400 * time.Millisecond)
	every(2400, func(n int) {
		order := fmt.Sprintf("ORD-%06d", n)
		if time.Now().Before(calm) {
			order = fmt.Sprintf("%06d", n%50)
		}
		go open(t, order)
		t.updates.Publish(order, update{order: n, status: "packed"})
	})
}
