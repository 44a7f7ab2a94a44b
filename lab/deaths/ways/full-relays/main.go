// A relay between cameras and those who watch: what a camera sends is queued for the watcher's connection. After a
// change of their network watchers keep their connections and read nothing more. No write has a deadline, no queue a
// bound; who fills a queue leads to it as well as who empties it.
package main

import (
	"io"
	"net"
	"sync"
	"time"

	_ "example.com/ways/internal/debugport"
)

type queue struct {
	mu     sync.Mutex
	more   *sync.Cond
	chunks [][]byte
}

func newQueue() *queue {
	q := &queue{}
	q.more = sync.NewCond(&q.mu)
	return q
}

//go:noinline
func (q *queue) put(from io.Reader) error {
	chunk := make([]byte, 4<<10)
	n, err := io.ReadFull(from, chunk)
	q.mu.Lock()
	q.chunks = append(q.chunks, chunk[:n])
	q.mu.Unlock()
	q.more.Signal()
	return err
}

func (q *queue) take() [][]byte {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.chunks) == 0 {
		q.more.Wait()
	}
	one := q.chunks[:1]
	q.chunks = q.chunks[1:]
	return one
}

type relay struct {
	camera, watcher net.Conn
	queue           *queue
}

func (r *relay) fill() {
	for r.queue.put(r.camera) == nil {
	}
}

func (r *relay) drain() {
	for {
		for _, chunk := range r.queue.take() {
			if _, err := r.watcher.Write(chunk); err != nil {
				return
			}
		}
	}
}

func main() {
	cameras, watchers := listen(), listen()
	go record(cameras.Addr().String())
	go watch(watchers.Addr().String(), time.Now().Add(1500*time.Millisecond))
	for {
		camera, err := cameras.Accept()
		if err != nil {
			panic(err)
		}
		watcher, err := watchers.Accept()
		if err != nil {
			panic(err)
		}
		r := &relay{camera: camera, watcher: watcher, queue: newQueue()}
		go r.fill()
		go r.drain()
	}
}

func listen() net.Listener {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	return l
}
