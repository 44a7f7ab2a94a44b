package main

import (
	"container/heap"
	"sync"
	"time"
)

type task struct {
	priority int
	due      time.Time
	account  int
	mail     []byte
}

type agenda []*task

func (a agenda) Len() int { return len(a) }
func (a agenda) Less(i, j int) bool {
	if a[i].priority != a[j].priority {
		return a[i].priority > a[j].priority
	}
	return a[i].due.Before(a[j].due)
}
func (a agenda) Swap(i, j int)       { a[i], a[j] = a[j], a[i] }
func (a *agenda) Push(x interface{}) { *a = append(*a, x.(*task)) }
func (a *agenda) Pop() interface{} {
	last := len(*a) - 1
	t := (*a)[last]
	(*a)[last] = nil
	*a = (*a)[:last]
	return t
}

type scheduler struct {
	mu    sync.Mutex
	tasks agenda
}

func (s *scheduler) plan(t *task) {
	s.mu.Lock()
	defer s.mu.Unlock()
	heap.Push(&s.tasks, t)
}

func (s *scheduler) next() *task {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.tasks) == 0 {
		return nil
	}
	return heap.Pop(&s.tasks).(*task)
}

// work sends what is due, the most urgent first.
func (s *scheduler) work(send func(*task)) {
	for {
		if t := s.next(); t != nil {
			send(t)
		} else {
			time.Sleep(time.Millisecond)
		}
	}
}
