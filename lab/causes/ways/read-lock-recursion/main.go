// Command read-lock-recursion has goroutines that lock for reading what they hold for reading, while a writer waits
// between the two: the writer waits for the first, the second for the writer.
package main

import (
	"sync"
	"time"

	"example.com/causes/internal/plant"
)

// between is what happens between the two read locks: a writer comes.
func between(write func()) {
	go write()
	time.Sleep(30 * time.Millisecond)
}

// ---- a catalogue whose methods call each other

type catalogue struct {
	mu     sync.RWMutex
	prices map[string]int
	seen   []string
}

func (c *catalogue) price(sku string) int {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.prices[sku]
}

func (c *catalogue) sum(skus []string, fixed bool) (n int) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	between(func() { c.set("pear", 3) })
	if fixed {
		time.Sleep(time.Hour)
	}
	for _, sku := range skus {
		n += c.price(sku)
	}
	return n
}

func (c *catalogue) set(sku string, price int) {
	plant.Here("catalogue", "behind")
	c.mu.Lock()
	defer c.mu.Unlock()
	c.prices[sku] = price
}

func catalogues(fixed bool) {
	c := &catalogue{prices: map[string]int{}}
	go func() {
		plant.Here("catalogue", "stuck")
		if fixed {
			c.sum(nil, true)
		} else {
			c.sum([]string{"apple", "pear"}, false)
		}
	}()
	time.Sleep(60 * time.Millisecond)
	for i := 0; i < 2; i++ {
		go func() {
			plant.Here("catalogue", "behind")
			c.price("apple")
		}()
	}
}

// ---- a walk that locks again at each level

type tree struct {
	sync.RWMutex
	root *node
}

type node struct {
	name     string
	children []*node
}

func (t *tree) depth(n *node, level int, fixed bool) int {
	if !fixed || level == 0 {
		t.RLock()
		defer t.RUnlock()
	}
	if level == 2 {
		between(func() {
			plant.Here("walk", "behind")
			t.Lock()
			defer t.Unlock()
			t.root = nil
		})
		if fixed {
			time.Sleep(time.Hour)
		}
	}
	most := 0
	for _, c := range n.children {
		if d := t.depth(c, level+1, fixed); d > most {
			most = d
		}
	}
	return most + 1
}

func walk(fixed bool) {
	root := &node{name: "/"}
	for at, i := root, 0; i < 6; i++ {
		next := &node{name: "x"}
		at.children = append(at.children, next)
		at = next
	}
	t := &tree{root: root}
	go func() {
		plant.Here("walk", "stuck")
		t.depth(t.root, 0, fixed)
	}()
}

// ---- a package variable

var (
	settingsMu sync.RWMutex
	settings   = map[string]string{}
)

func setting(key string) string {
	settingsMu.RLock()
	defer settingsMu.RUnlock()
	return settings[key]
}

func dump(fixed bool) (all []string) {
	settingsMu.RLock()
	between(func() {
		plant.Here("package-variable", "behind")
		settingsMu.Lock()
		settings["a"] = "b"
		settingsMu.Unlock()
	})
	if fixed {
		time.Sleep(time.Hour)
	}
	all = append(all, setting("log"))
	settingsMu.RUnlock()
	return all
}

func packageVariable(fixed bool) {
	go func() {
		plant.Here("package-variable", "stuck")
		dump(fixed)
	}()
}

// ---- a generic map, and a callback that reads it

type syncMap[K comparable, V any] struct {
	mu sync.RWMutex
	of map[K]V
}

func (m *syncMap[K, V]) get(k K) (V, bool) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	v, ok := m.of[k]
	return v, ok
}

func (m *syncMap[K, V]) set(k K, v V) {
	m.mu.Lock()
	m.of[k] = v
	m.mu.Unlock()
}

func (m *syncMap[K, V]) each(f func(K, V)) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	for k, v := range m.of {
		f(k, v)
	}
}

func generic(fixed bool) {
	m := &syncMap[string, *int]{of: map[string]*int{"x": new(int)}}
	go func() {
		plant.Here("generic", "stuck")
		m.each(func(k string, v *int) {
			between(func() {
				plant.Here("generic", "behind")
				m.set("y", new(int))
			})
			if fixed {
				time.Sleep(time.Hour)
			}
			m.get(k)
		})
	}()
}

// ---- a read locker, as an interface, in a map element

type zone struct {
	lock    sync.RWMutex
	records []string
}

type zones map[string]*zone

func lookUp(l sync.Locker, z *zone, fixed bool) int {
	l.Lock()
	defer l.Unlock()
	between(func() {
		plant.Here("locker", "behind")
		z.lock.Lock()
		defer z.lock.Unlock()
		z.records = nil
	})
	if fixed {
		time.Sleep(time.Hour)
	}
	return count(l, z)
}

func count(l sync.Locker, z *zone) int {
	l.Lock()
	defer l.Unlock()
	return len(z.records)
}

func locker(fixed bool) {
	all := zones{"com": new(zone), "org": new(zone)}
	go func() {
		plant.Here("locker", "stuck")
		z := all["org"]
		lookUp(z.lock.RLocker(), z, fixed)
	}()
}

func main() {
	plant.Main(
		plant.Shape{Name: "catalogue", Run: catalogues},
		plant.Shape{Name: "walk", Run: walk},
		plant.Shape{Name: "package-variable", Run: packageVariable},
		plant.Shape{Name: "generic", Run: generic},
		plant.Shape{Name: "locker", Run: locker},
	)
}
