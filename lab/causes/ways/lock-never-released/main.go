// Command lock-never-released has goroutines that wait for locks which nobody holds any more: the function that locked
// returned without unlocking, or the goroutine that did has ended.
package main

import (
	"errors"
	"sync"
	"time"

	"example.com/causes/internal/plant"
)

var errNotFound = errors.New("not found")

// ---- an early return

type inventory struct {
	mu    sync.Mutex
	stock map[string]int
	log   []string
}

func (v *inventory) reserve(sku string, n int, fixed bool) error {
	v.mu.Lock()
	have, ok := v.stock[sku]
	if !ok {
		if fixed {
			v.mu.Unlock()
		}
		return errNotFound
	}
	v.stock[sku] = have - n
	v.mu.Unlock()
	return nil
}

// slowly is a holder that comes back.
func slowly(l sync.Locker) {
	l.Lock()
	go func() {
		time.Sleep(time.Hour)
		l.Unlock()
	}()
}

func earlyReturn(fixed bool) {
	v := &inventory{stock: map[string]int{"apple": 3}}
	if err := v.reserve("pear", 1, fixed); err == nil {
		panic("there are no pears")
	}
	if fixed {
		slowly(&v.mu)
	}
	for i := 0; i < 4; i++ {
		go func() {
			plant.Here("early-return", "stuck")
			_ = v.reserve("apple", 1, fixed)
		}()
	}
}

// ---- a goroutine that panicked and is gone

type ledger struct {
	rows []*row
	sync.Mutex
}

type row struct{ amount int }

func (l *ledger) post(r *row, fixed bool) {
	defer func() { _ = recover() }()
	l.Lock()
	if fixed {
		defer l.Unlock()
	}
	l.rows[len(l.rows)] = r
	if !fixed {
		l.Unlock()
	}
}

func goroutineEnded(fixed bool) {
	l := new(ledger)
	done := make(chan bool)
	go func() {
		plant.Ended("goroutine-ended", "holder")
		l.post(&row{1}, fixed)
		close(done)
	}()
	<-done
	if fixed {
		slowly(l)
	}
	for i := 0; i < 3; i++ {
		go func() {
			plant.Here("goroutine-ended", "stuck")
			l.post(&row{2}, fixed)
		}()
	}
}

// ---- a read lock that was taken and not given back: a writer waits, and the readers after it

type routes struct {
	mu sync.RWMutex
	to map[string]string
}

func (r *routes) find(host string, fixed bool) (string, bool) {
	r.mu.RLock()
	to, ok := r.to[host]
	if !ok && !fixed {
		return "", false
	}
	r.mu.RUnlock()
	return to, ok
}

func (r *routes) add(host, to string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.to[host] = to
}

func readLock(fixed bool) {
	r := &routes{to: map[string]string{"a": "1"}}
	r.find("b", fixed)
	if fixed {
		slowly(r.mu.RLocker())
	}
	go func() {
		plant.Here("read-lock", "stuck")
		r.add("b", "2")
	}()
	plant.Settle()
	for i := 0; i < 2; i++ {
		go func() {
			plant.Here("read-lock", "behind")
			r.find("a", fixed)
		}()
	}
}

// ---- a lone mutex that closures share

func lone(fixed bool) {
	var mu sync.Mutex
	sum := 0
	add := func(n int) error {
		mu.Lock()
		if n < 0 {
			if fixed {
				mu.Unlock()
			}
			return errNotFound
		}
		sum += n
		mu.Unlock()
		return nil
	}
	_ = add(-1)
	if fixed {
		slowly(&mu)
	}
	for i := 0; i < 3; i++ {
		i := i
		go func() {
			plant.Here("lone", "stuck")
			_ = add(i)
		}()
	}
}

// ---- a package variable

var (
	poolMu sync.Mutex
	pool   []*[64]byte
)

func take(fixed bool) *[64]byte {
	poolMu.Lock()
	if len(pool) == 0 {
		if fixed {
			poolMu.Unlock()
		}
		return new([64]byte)
	}
	b := pool[len(pool)-1]
	pool = pool[:len(pool)-1]
	poolMu.Unlock()
	return b
}

func packageVariable(fixed bool) {
	take(fixed)
	if fixed {
		slowly(&poolMu)
	}
	for i := 0; i < 3; i++ {
		go func() {
			plant.Here("package-variable", "stuck")
			take(fixed)
		}()
	}
}

// ---- an element of a generic map of locks, by key, behind an interface

type keyed[K comparable] struct {
	mu    sync.Mutex
	locks map[K]sync.Locker
}

func (k *keyed[K]) lock(key K) sync.Locker {
	k.mu.Lock()
	l, ok := k.locks[key]
	if !ok {
		l = new(sync.Mutex)
		k.locks[key] = l
	}
	k.mu.Unlock()
	l.Lock()
	return l
}

type upload struct {
	locks *keyed[int64]
	parts map[int64][]byte
}

func (u *upload) part(id int64, data []byte, fixed bool) error {
	l := u.locks.lock(id)
	if fixed {
		defer l.Unlock()
	}
	if len(data) == 0 {
		return errNotFound
	}
	u.parts[id] = data
	if !fixed {
		l.Unlock()
	}
	return nil
}

func keyedLocks(fixed bool) {
	u := &upload{locks: &keyed[int64]{locks: map[int64]sync.Locker{}}, parts: map[int64][]byte{}}
	for id := int64(1); id <= 3; id++ {
		_ = u.part(id, nil, fixed)
		if fixed {
			slowly(u.locks.locks[id])
		}
	}
	for id := int64(1); id <= 3; id++ {
		id := id
		go func() {
			plant.Here("keyed", "stuck")
			_ = u.part(id, []byte("x"), fixed)
		}()
	}
}

func main() {
	plant.Main(
		plant.Shape{Name: "early-return", Run: earlyReturn},
		plant.Shape{Name: "goroutine-ended", Run: goroutineEnded},
		plant.Shape{Name: "read-lock", Run: readLock},
		plant.Shape{Name: "lone", Run: lone},
		plant.Shape{Name: "package-variable", Run: packageVariable},
		plant.Shape{Name: "keyed", Run: keyedLocks},
	)
}
