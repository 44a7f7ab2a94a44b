// Orders are reserved against a database behind sixteen connections.
package main

import (
	"sync/atomic"
	"time"

	_ "example.com/ways/internal/profiled"
)

func main() {
	db := &server{latency: int64(4 * time.Millisecond)}
	s := &stock{db: open(db)}
	time.AfterFunc(1400*time.Millisecond, func() { atomic.StoreInt64(&db.latency, int64(900*time.Millisecond)) })
	for id := 0; ; id++ {
		go s.reserve(id)
		time.Sleep(6 * time.Millisecond)
	}
}
