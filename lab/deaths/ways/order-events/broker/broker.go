// Package broker hands events of any type to whoever has asked for their topic.
package broker

import (
	"strings"
	"sync"
)

type Subscription[T any] struct {
	C     chan T
	topic string
}

type Broker[T any] struct {
	mu     sync.Mutex
	topics map[string]map[*Subscription[T]]struct{}
}

func New[T any]() *Broker[T] {
	return &Broker[T]{topics: map[string]map[*Subscription[T]]struct{}{}}
}

func (b *Broker[T]) Subscribe(topic string, room int) *Subscription[T] {
	s := &Subscription[T]{C: make(chan T, room), topic: topic}
	key := strings.ToLower(topic)
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.topics[key] == nil {
		b.topics[key] = map[*Subscription[T]]struct{}{}
	}
	b.topics[key][s] = struct{}{}
	return s
}

func (b *Broker[T]) Unsubscribe(s *Subscription[T]) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.topics[s.topic], s)
}

func (b *Broker[T]) Publish(topic string, event T) (reached int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for s := range b.topics[strings.ToLower(topic)] {
		select {
		case s.C <- event:
			reached++
		default:
		}
	}
	return reached
}
