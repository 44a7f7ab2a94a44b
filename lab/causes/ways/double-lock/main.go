// Command double-lock has goroutines that lock what they hold themselves: a method that locks calls another that does.
package main

import (
	"sync"
	"time"

	"example.com/causes/internal/plant"
)

// ---- a struct field, and others that queue behind

type account struct {
	owner   string
	mu      sync.Mutex
	balance int
	history []*entry
}

type entry struct{ what string }

func (a *account) total() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.balance
}

func (a *account) withdraw(n int, fixed bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if fixed {
		time.Sleep(time.Hour)
		return
	}
	if a.total() >= n {
		a.balance -= n
		a.history = append(a.history, &entry{"withdrawn"})
	}
}

func accounts(fixed bool) {
	a := &account{owner: "somebody", balance: 10}
	go func() {
		plant.Here("account", "stuck")
		a.withdraw(5, fixed)
	}()
	plant.Settle()
	for i := 0; i < 3; i++ {
		go func() {
			plant.Here("account", "behind")
			a.total()
		}()
	}
}

// ---- a lone mutex on the heap, captured by closures

func lone(fixed bool) {
	for i := 0; i < 5; i++ {
		var mu sync.Mutex
		n := 0
		add := func() {
			mu.Lock()
			n++
			mu.Unlock()
		}
		go func() {
			plant.Here("lone", "stuck")
			mu.Lock()
			if fixed {
				time.Sleep(time.Hour)
			} else {
				add()
			}
			mu.Unlock()
		}()
		if fixed {
			plant.Settle()
			go func() {
				plant.Here("lone", "behind")
				add()
			}()
		}
	}
}

// ---- a package variable with an embedded mutex

var registry struct {
	sync.Mutex
	plugins map[string]func()
}

func register(name string, f func()) {
	registry.Lock()
	defer registry.Unlock()
	if registry.plugins == nil {
		registry.plugins = map[string]func(){}
	}
	registry.plugins[name] = f
}

func initPlugin(name string, fixed bool) {
	registry.Lock()
	defer registry.Unlock()
	if fixed {
		time.Sleep(time.Hour)
	}
	register(name, func() {})
}

func packageVariable(fixed bool) {
	go func() {
		plant.Here("package-variable", "stuck")
		initPlugin("gzip", fixed)
	}()
}

// ---- elements of a map

type shard struct {
	sync.Mutex
	keys map[string][]byte
}

type store struct{ shards map[byte]*shard }

func (s *store) at(key string) *shard { return s.shards[key[0]] }

func (s *store) put(key string, value []byte) {
	sh := s.at(key)
	sh.Lock()
	defer sh.Unlock()
	sh.keys[key] = value
}

func (s *store) rename(from, to string) {
	a, b := s.at(from), s.at(to)
	a.Lock()
	defer a.Unlock()
	b.Lock()
	defer b.Unlock()
	b.keys[to] = a.keys[from]
	delete(a.keys, from)
}

func mapElement(fixed bool) {
	s := &store{shards: map[byte]*shard{}}
	for _, c := range []byte("abcdef") {
		s.shards[c] = &shard{keys: map[string][]byte{}}
	}
	to := "apple"
	if fixed {
		to = "banana"
		go func() {
			sh := s.at("banana")
			sh.Lock()
			time.Sleep(time.Hour)
			sh.Unlock()
		}()
		time.Sleep(20 * time.Millisecond)
	}
	s.put("avocado", []byte("x"))
	go func() {
		plant.Here("map-element", "stuck")
		s.rename("avocado", to)
	}()
}

// ---- a generic box: its write lock is held while a callback reads it

type guarded[T any] struct {
	mu    sync.RWMutex
	value T
}

func (g *guarded[T]) get() T {
	g.mu.RLock()
	defer g.mu.RUnlock()
	return g.value
}

func (g *guarded[T]) update(f func(*T)) {
	g.mu.Lock()
	defer g.mu.Unlock()
	f(&g.value)
}

func generic(fixed bool) {
	limits := &guarded[map[string]int]{value: map[string]int{"rps": 10}}
	go func() {
		plant.Here("generic", "stuck")
		limits.update(func(m *map[string]int) {
			if fixed {
				time.Sleep(time.Hour)
				return
			}
			(*m)["burst"] = limits.get()["rps"] * 2
		})
	}()
	if fixed {
		plant.Settle()
		go func() {
			plant.Here("generic", "behind")
			limits.get()
		}()
	}
}

// ---- the write lock twice

type table struct {
	rows [][]string
	sync.RWMutex
}

func (t *table) grow() {
	t.Lock()
	defer t.Unlock()
	t.rows = append(t.rows, nil)
}

func (t *table) insert(row []string, fixed bool) {
	t.Lock()
	defer t.Unlock()
	if fixed {
		time.Sleep(time.Hour)
	} else if len(t.rows) == cap(t.rows) {
		t.grow()
	}
	t.rows[len(t.rows)-1] = row
}

func writeTwice(fixed bool) {
	t := new(table)
	go func() {
		plant.Here("write-twice", "stuck")
		t.insert([]string{"a"}, fixed)
	}()
	plant.Settle()
	go func() {
		plant.Here("write-twice", "behind")
		t.RLock()
		defer t.RUnlock()
	}()
}

// ---- sync.Once whose function comes back to it

type client struct {
	once sync.Once
	conn *connection
}

type connection struct{ session string }

func (c *client) connect(fixed bool) *connection {
	c.once.Do(func() { c.login(fixed) })
	return c.conn
}

func (c *client) login(fixed bool) {
	if fixed {
		time.Sleep(time.Hour)
		return
	}
	c.connect(fixed).session = "new"
}

func once(fixed bool) {
	c := new(client)
	go func() {
		plant.Here("once", "stuck")
		c.connect(fixed)
	}()
	plant.Settle()
	go func() {
		plant.Here("once", "behind")
		c.connect(fixed)
	}()
}

func main() {
	plant.Main(
		plant.Shape{Name: "account", Run: accounts},
		plant.Shape{Name: "lone", Run: lone},
		plant.Shape{Name: "package-variable", Run: packageVariable},
		plant.Shape{Name: "map-element", Run: mapElement},
		plant.Shape{Name: "generic", Run: generic},
		plant.Shape{Name: "write-twice", Run: writeTwice},
		plant.Shape{Name: "once", Run: once},
	)
}
