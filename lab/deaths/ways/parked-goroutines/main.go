// Thousands of subscribers wait for news, as they always do, and more come; they are cheap. What grows is the table of
// the messages seen, by which a second copy is to be recognised.
package main

import (
	"crypto/sha256"
	"encoding/binary"
	"time"

	_ "example.com/ways/internal/profiled"
)

type receipt struct {
	at    time.Time
	parts [40]int64
}

type dedup struct{ seen map[[32]byte]*receipt }

func subscriber(news <-chan string, quit <-chan struct{}) {
	for {
		select {
		case <-news:
		case <-quit:
			return
		}
	}
}

//go:noinline
func newReceipt(n int) *receipt {
	r := &receipt{at: time.Now()}
	for i := range r.parts {
		r.parts[i] = int64(n)
	}
	return r
}

func (d *dedup) first(message int) bool {
	var text [8]byte
	binary.LittleEndian.PutUint64(text[:], uint64(message))
	key := sha256.Sum256(text[:])
	if d.seen[key] != nil {
		return false
	}
	d.seen[key] = newReceipt(message)
	return true
}

func consume(d *dedup, messages <-chan int) {
	for m := range messages {
		d.first(m)
	}
}

func main() {
	quit := make(chan struct{})
	for i := 0; i < 4000; i++ {
		go subscriber(make(chan string), quit)
	}
	messages := make(chan int, 64)
	go consume(&dedup{seen: map[[32]byte]*receipt{}}, messages)
	time.Sleep(1300 * time.Millisecond)
	for n, began := 0, time.Now(); ; time.Sleep(time.Millisecond) {
		for ; n < int(time.Since(began).Seconds()*90000); n++ {
			messages <- n
		}
		if n%2 == 0 {
			go subscriber(make(chan string), quit)
		}
	}
}
