// Package cacheaside has caches, locks and maps.
package cacheaside

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// Item is cached.
type Item struct {
	Key  string
	Body []byte
	At   time.Time
}

// Cache only grows.
type Cache struct {
	mu    sync.RWMutex
	items map[string]*Item
	rdb   *redis.Client
}

// Get fills the cache under the lock with a call to redis.
func (c *Cache) Get(ctx context.Context, key string) (*Item, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if it, ok := c.items[key]; ok {
		return it, nil
	}
	raw, err := c.rdb.Get(ctx, key).Bytes() // want lock-held-across-wait
	if err != nil {
		return nil, err
	}
	it := &Item{Key: key, Body: raw, At: time.Now()}
	c.items[key] = it // want map-only-grows
	return it, nil
}

// Expiring deletes: healthy.
type Expiring struct {
	mu    sync.Mutex
	items map[string]Item
}

// Put adds.
func (e *Expiring) Put(k string, b []byte) {
	e.mu.Lock()
	e.items[k] = Item{Key: k, Body: b, At: time.Now()}
	e.mu.Unlock()
}

// Sweep removes.
func (e *Expiring) Sweep(old time.Duration) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for k, it := range e.items {
		if time.Since(it.At) > old {
			delete(e.items, k)
		}
	}
}

// Bounded starts anew when it is full: healthy.
type Bounded struct {
	mu sync.Mutex
	m  map[string]string
}

// Put adds.
func (b *Bounded) Put(k, v string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.m) > 10_000 {
		b.m = make(map[string]string)
	}
	b.m[k] = v
}

// Generic is a cache of anything that only grows.
type Generic[K comparable, V any] struct {
	mu   sync.Mutex
	data map[K]V
}

// Load computes once for each key.
func (g *Generic[K, V]) Load(k K, f func(K) (V, error)) (V, error) {
	g.mu.Lock()
	v, ok := g.data[k]
	g.mu.Unlock()
	if ok {
		return v, nil
	}
	v, err := f(k)
	if err != nil {
		return v, err
	}
	g.mu.Lock()
	g.data[k] = v // want map-only-grows
	g.mu.Unlock()
	return v, nil
}

// Swap forgets the lock where decoding fails.
func (c *Cache) Swap(raw []byte) error {
	c.mu.Lock() // want lock-not-released
	var items []*Item
	if err := json.Unmarshal(raw, &items); err != nil {
		return err
	}
	for _, it := range items {
		c.items[it.Key] = it
	}
	c.mu.Unlock()
	return nil
}

// Lookup unlocks what it did not lock.
func (c *Cache) Lookup(key string) (*Item, error) {
	c.mu.RLock()
	it, ok := c.items[key]
	if !ok {
		c.mu.RUnlock()
		return nil, errors.New("no such item")
	}
	c.mu.RUnlock()
	return it, nil
}

// Len takes the lock again that Each holds.
func (c *Cache) Len() int {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return len(c.items)
}

// Touch calls Len with the lock held.
func (c *Cache) Touch(key string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	if it := c.items[key]; it != nil {
		it.At = time.Now()
	}
	return c.Len() // want locked-again
}

// TouchLater calls it after: healthy.
func (c *Cache) TouchLater(key string) int {
	c.mu.Lock()
	if it := c.items[key]; it != nil {
		it.At = time.Now()
	}
	c.mu.Unlock()
	return c.Len()
}

// Two has two locks.
type Two struct {
	accounts sync.Mutex
	orders   sync.Mutex
	a, o     int
}

// Pay takes accounts, then orders.
func (t *Two) Pay() {
	t.accounts.Lock()
	defer t.accounts.Unlock()
	t.orders.Lock() // want lock-order
	defer t.orders.Unlock()
	t.a, t.o = t.a-1, t.o+1
}

// Cancel takes orders, then accounts through a helper.
func (t *Two) Cancel() {
	t.orders.Lock()
	defer t.orders.Unlock()
	t.o--
	t.refund()
}

func (t *Two) refund() {
	t.accounts.Lock()
	t.a++
	t.accounts.Unlock()
}

// WithLock has a helper that unlocks: healthy.
func (c *Cache) WithLock(f func(map[string]*Item)) {
	c.lock()
	defer c.unlock()
	f(c.items)
}

func (c *Cache) lock()   { c.mu.Lock() }
func (c *Cache) unlock() { c.mu.Unlock() }

// Try is healthy.
func (c *Cache) Try(key string) bool {
	if !c.mu.TryLock() {
		return false
	}
	defer c.mu.Unlock()
	_, ok := c.items[key]
	return ok
}

// Panics does not unlock where the value is not what it is thought to be.
func (c *Cache) Panics(v any) {
	c.mu.Lock()
	it := v.(*Item)
	c.items[it.Key] = it
	c.mu.Unlock()
}
