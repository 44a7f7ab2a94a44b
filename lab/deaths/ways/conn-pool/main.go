// Clicks are collected into batches, and each batch is written in one statement.
package main

import (
	"sync/atomic"
	"time"

	"example.com/ways/conn-pool/pool"

	_ "example.com/ways/internal/profiled"
)

type click struct {
	user, item int64
	path       [12]int64
}

type collector struct{ store *clickStore }

func (c *collector) batch(n int) []interface{} {
	rows := make([]interface{}, 0, n)
	for i := 0; i < n; i++ {
		rows = append(rows, &click{user: int64(i), item: int64(i % 7)})
	}
	return rows
}

func (c *collector) flush() error { return c.store.insert(c.batch(1600)) }

func main() {
	db := &database{}
	c := &collector{store: &clickStore{pool: pool.New(8, func() pool.Conn { return &session{db} })}}
	time.AfterFunc(1400*time.Millisecond, func() { atomic.StoreInt32(&db.readOnly, 1) })
	time.AfterFunc(1600*time.Millisecond, func() { atomic.StoreInt32(&db.readOnly, 0) })
	for ; ; time.Sleep(5 * time.Millisecond) {
		go c.flush()
	}
}
