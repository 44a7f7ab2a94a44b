package main

import (
	"context"
	"errors"
	"sync"
)

var errRejected = errors.New("rejected")

type decision struct {
	saga int
	ok   bool
}

// inbox has a mailbox for each saga that waits for a person.
type inbox struct {
	mu    sync.Mutex
	boxes map[int]chan decision
}

func (in *inbox) box(saga int) chan decision {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.boxes[saga] == nil {
		in.boxes[saga] = make(chan decision, 1)
	}
	return in.boxes[saga]
}

func (in *inbox) drop(saga int) {
	in.mu.Lock()
	defer in.mu.Unlock()
	delete(in.boxes, saga)
}

func (in *inbox) decide(d decision) { in.box(d.saga) <- d }

type engine struct {
	inbox *inbox
	stop  chan struct{}
}

func (e *engine) await(ctx context.Context, saga int) error {
	select {
	case d := <-e.inbox.box(saga):
		if !d.ok {
			return errRejected
		}
		return nil
	case <-e.stop:
		return errRejected
	case <-ctx.Done():
		return ctx.Err()
	}
}
