// Package leakqueue leaks as a program did before it was mended.
package leakqueue

import "sync"

type task struct {
	payload []byte
	done    func()
}

type Queue struct {
	mu    sync.Mutex
	cond  *sync.Cond
	items []*task
	ended bool
}

func New() *Queue {
	q := &Queue{}
	q.cond = sync.NewCond(&q.mu)
	return q
}

func (q *Queue) Push(t *task) {
	q.mu.Lock()
	q.items = append(q.items, t)
	q.mu.Unlock()
	q.cond.Signal()
}

func (q *Queue) Pop() *task {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.items) == 0 && !q.ended {
		q.cond.Wait()
	}
	if len(q.items) == 0 {
		return nil
	}
	t := q.items[0]
	q.items = q.items[1:] // hint slots-not-cleared
	return t
}

func (q *Queue) RemoveLast() {
	q.mu.Lock()
	defer q.mu.Unlock()
	if n := len(q.items); n > 0 {
		q.items = q.items[:n-1] // warn slots-not-cleared
	}
}
