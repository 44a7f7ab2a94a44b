// Package makers makes things whose goroutines never end: who makes them how often, only makestart tells.
package makers

import (
	"context"
	"log"
	"os"
	"time"
)

// Queue hands on what comes in batches.
type Queue struct {
	in  chan int
	out chan []int
}

// NewQueue is called once, at the start.
func NewQueue() *Queue {
	q := &Queue{in: make(chan int), out: make(chan []int)}
	go q.run()
	return q
}

func (q *Queue) run() {
	ticker := time.NewTicker(time.Second)
	for range ticker.C { // hint goroutine-no-exit
		q.out <- []int{<-q.in}
	}
}

// Add hands one over, and Batch waits for some.
func (q *Queue) Add(n int) { q.in <- n }

// Batch waits for some.
func (q *Queue) Batch() []int { return <-q.out }

// Feed tells one client.
type Feed struct {
	in  chan int
	out chan []int
}

// NewFeed is called for each request.
func NewFeed() *Feed {
	f := &Feed{in: make(chan int), out: make(chan []int)}
	go f.run()
	return f
}

func (f *Feed) run() {
	ticker := time.NewTicker(time.Second)
	for range ticker.C { // warn goroutine-no-exit
		f.out <- []int{<-f.in}
	}
}

// Add hands one over.
func (f *Feed) Add(n int) { f.in <- n }

// Batch waits for some.
func (f *Feed) Batch() []int { return <-f.out }

// ReadKey is called once: the file stays open, and is one.
func ReadKey(name string) ([]byte, error) {
	f, err := os.Open(name) // hint file-not-closed
	if err != nil {
		return nil, err
	}
	key := make([]byte, 32)
	_, err = f.Read(key)
	return key, err
}

// ReadPart is called for each request.
func ReadPart(name string) ([]byte, error) {
	f, err := os.Open(name) // warn file-not-closed
	if err != nil {
		return nil, err
	}
	part := make([]byte, 32)
	_, err = f.Read(part)
	return part, err
}

// Limits waits for a place, and no longer than so.
type Limits struct{ places chan struct{} }

// TakeSoon gives up after a second, whatever context it has.
func (l *Limits) TakeSoon(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	select {
	case l.places <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Ask waits as long as its context says.
func (l *Limits) Ask(ctx context.Context) error {
	select {
	case l.places <- struct{}{}:
		return nil
	case <-ctx.Done():
		log.Print("no place")
		return ctx.Err()
	}
}
