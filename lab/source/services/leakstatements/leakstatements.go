// Package leakstatements leaks as a program did before it was mended.
package leakstatements

import (
	"context"
	"fmt"
	"sync"
)

type statement struct {
	name string
	sql  string
}

type wire interface {
	Prepare(ctx context.Context, name, sql string) error
	Deallocate(ctx context.Context, name string) error
}

type Conn struct {
	mu       sync.Mutex
	w        wire
	next     int
	byName   map[string]*statement
	bySQL    map[string]*statement
	lastUsed []string
	capacity int
}

func New(w wire) *Conn {
	return &Conn{w: w, byName: map[string]*statement{}, bySQL: map[string]*statement{}, capacity: 256}
}

func (c *Conn) Query(ctx context.Context, sql string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	st, ok := c.bySQL[sql]
	if !ok {
		c.next++
		st = &statement{name: fmt.Sprintf("st_%d", c.next), sql: sql}
		if err := c.w.Prepare(ctx, st.name, sql); err != nil {
			return err
		}
		c.byName[st.name] = st // hint map-only-grows
		c.bySQL[sql] = st
		c.lastUsed = append(c.lastUsed, sql)
		if len(c.lastUsed) > c.capacity {
			return c.evict(ctx)
		}
	}
	return c.run(ctx, st)
}

func (c *Conn) evict(ctx context.Context) error {
	oldest := c.lastUsed[0]
	c.lastUsed = append(c.lastUsed[:0], c.lastUsed[1:]...)
	st := c.bySQL[oldest]
	delete(c.bySQL, oldest)
	return c.w.Deallocate(ctx, st.name)
}

func (c *Conn) run(ctx context.Context, st *statement) error {
	_, ok := c.byName[st.name]
	if !ok {
		return fmt.Errorf("unknown statement %s", st.name)
	}
	return ctx.Err()
}
