// Command lock-order-cycle has goroutines each of which holds a lock that another one wants.
package main

import (
	"sync"
	"time"

	"example.com/causes/internal/plant"
)

// ---- two of one type, in the order in which a caller names them

type account struct {
	id int
	sync.Mutex
	balance int
	notes   []string
}

func transfer(from, to *account, n int, met *sync.WaitGroup, fixed bool) {
	if fixed && from.id > to.id {
		from, to = to, from
	}
	from.Lock()
	defer from.Unlock()
	if met != nil {
		met.Done()
		met.Wait()
	}
	to.Lock()
	defer to.Unlock()
	if fixed {
		time.Sleep(time.Hour)
	}
	from.balance -= n
	to.balance += n
}

func accounts(fixed bool) {
	a, b := &account{id: 1}, &account{id: 2}
	var met *sync.WaitGroup
	if !fixed {
		met = new(sync.WaitGroup)
		met.Add(2)
	}
	go func() {
		plant.Here("accounts", "stuck")
		transfer(a, b, 10, met, fixed)
	}()
	go func() {
		plant.Here("accounts", "stuck")
		transfer(b, a, 20, met, fixed)
	}()
	plant.Settle()
	for i := 0; i < 2; i++ {
		go func() {
			plant.Here("accounts", "behind")
			a.Lock()
			defer a.Unlock()
		}()
	}
}

// ---- a ring of four

type fork struct {
	mu   sync.Mutex
	used *philosopher
}

type philosopher struct {
	left, right *fork
	meals       int
}

func (p *philosopher) dine(met *sync.WaitGroup, fixed bool) {
	p.left.mu.Lock()
	defer p.left.mu.Unlock()
	if met != nil {
		met.Done()
		met.Wait()
	}
	p.right.mu.Lock()
	defer p.right.mu.Unlock()
	if fixed {
		time.Sleep(time.Hour)
	}
	p.meals++
}

func ring(fixed bool) {
	const n = 4
	forks := make([]*fork, n)
	for i := range forks {
		forks[i] = new(fork)
	}
	var met *sync.WaitGroup
	if !fixed {
		met = new(sync.WaitGroup)
		met.Add(n)
	}
	for i := 0; i < n; i++ {
		p := &philosopher{left: forks[i], right: forks[(i+1)%n]}
		if fixed && i == n-1 {
			p.left, p.right = p.right, p.left
		}
		go func() {
			plant.Here("ring", "stuck")
			p.dine(met, fixed)
		}()
		if fixed {
			time.Sleep(5 * time.Millisecond)
		}
	}
}

// ---- a read lock and a mutex

type cache struct {
	mu    sync.RWMutex
	items map[string]*item
	index *index
}

type index struct {
	mu   sync.Mutex
	tags map[string][]string
	of   *cache
}

type item struct{ tags []string }

func (c *cache) tagged(tag string, met *sync.WaitGroup, fixed bool) int {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if met != nil {
		met.Done()
		met.Wait()
	}
	c.index.mu.Lock()
	defer c.index.mu.Unlock()
	if fixed {
		time.Sleep(time.Hour)
	}
	return len(c.index.tags[tag])
}

func (x *index) rebuild(met *sync.WaitGroup, fixed bool) {
	if fixed {
		x.of.mu.Lock()
		defer x.of.mu.Unlock()
		return
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	met.Done()
	met.Wait()
	x.of.mu.Lock()
	defer x.of.mu.Unlock()
	for name, i := range x.of.items {
		for _, t := range i.tags {
			x.tags[t] = append(x.tags[t], name)
		}
	}
}

func readers(fixed bool) {
	c := &cache{items: map[string]*item{}, index: &index{tags: map[string][]string{}}}
	c.index.of = c
	var met *sync.WaitGroup
	if !fixed {
		met = new(sync.WaitGroup)
		met.Add(2)
	}
	go func() {
		plant.Here("read-and-write", "stuck")
		c.tagged("new", met, fixed)
	}()
	if fixed {
		plant.Settle()
	}
	go func() {
		plant.Here("read-and-write", "stuck")
		c.index.rebuild(met, fixed)
	}()
}

// ---- package variables

var (
	usersMu  sync.Mutex
	groupsMu sync.Mutex
	users    = map[string]string{}
	groups   = map[string][]string{}
)

func addUser(name, group string, met *sync.WaitGroup, fixed bool) {
	usersMu.Lock()
	defer usersMu.Unlock()
	if met != nil {
		met.Done()
		met.Wait()
	}
	groupsMu.Lock()
	defer groupsMu.Unlock()
	if fixed {
		time.Sleep(time.Hour)
	}
	users[name], groups[group] = group, append(groups[group], name)
}

func dropGroup(group string, met *sync.WaitGroup, fixed bool) {
	if fixed {
		usersMu.Lock()
		defer usersMu.Unlock()
	}
	groupsMu.Lock()
	defer groupsMu.Unlock()
	if !fixed {
		met.Done()
		met.Wait()
		usersMu.Lock()
		defer usersMu.Unlock()
	}
	for _, u := range groups[group] {
		delete(users, u)
	}
}

func packageVariables(fixed bool) {
	var met *sync.WaitGroup
	if !fixed {
		met = new(sync.WaitGroup)
		met.Add(2)
	}
	go func() {
		plant.Here("package-variables", "stuck")
		addUser("ann", "staff", met, fixed)
	}()
	go func() {
		plant.Here("package-variables", "stuck")
		if fixed {
			time.Sleep(50 * time.Millisecond)
		}
		dropGroup("staff", met, fixed)
	}()
}

// ---- a callback under a lock: publisher and subscriber

type bus struct {
	mu   sync.Mutex
	subs map[string]*subscriber
}

type subscriber struct {
	sync.Mutex
	name string
	from *bus
	got  []string
}

func (b *bus) publish(text string, met func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, s := range b.subs {
		met()
		s.receive(text)
	}
}

func (s *subscriber) receive(text string) {
	s.Lock()
	defer s.Unlock()
	s.got = append(s.got, text)
}

func (s *subscriber) leave(met func(), fixed bool) {
	s.Lock()
	name := s.name
	if fixed {
		s.Unlock()
		s.from.remove(name)
		return
	}
	defer s.Unlock()
	met()
	s.from.remove(name)
}

func (b *bus) remove(name string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.subs, name)
}

func callback(fixed bool) {
	b := &bus{subs: map[string]*subscriber{}}
	s := &subscriber{name: "mail", from: b}
	b.subs[s.name] = s
	meet := func() { time.Sleep(time.Hour) }
	if !fixed {
		var met sync.WaitGroup
		met.Add(2)
		meet = func() {
			met.Done()
			met.Wait()
		}
	}
	go func() {
		plant.Here("callback", "stuck")
		b.publish("news", meet)
	}()
	go func() {
		plant.Here("callback", "stuck")
		s.leave(meet, fixed)
	}()
}

// ---- lone mutexes, captured

func lone(fixed bool) {
	var a, b sync.Mutex
	var met sync.WaitGroup
	met.Add(2)
	first := func() {
		plant.Here("lone", "stuck")
		a.Lock()
		defer a.Unlock()
		if fixed {
			time.Sleep(time.Hour)
			return
		}
		met.Done()
		met.Wait()
		b.Lock()
		defer b.Unlock()
	}
	second := func() {
		plant.Here("lone", "stuck")
		b.Lock()
		defer b.Unlock()
		if fixed {
			a.Lock()
			defer a.Unlock()
			return
		}
		met.Done()
		met.Wait()
		a.Lock()
		defer a.Unlock()
	}
	go first()
	go second()
}

// ---- two numbers with their mutexes, as small as a slot of tiny objects, unlocked without defer

type wallet struct {
	mu sync.Mutex
	n  int
}

func move(from, to *wallet, n int, met *sync.WaitGroup, fixed bool) {
	if fixed {
		time.Sleep(time.Hour)
	}
	from.mu.Lock()
	if met != nil {
		met.Done()
		met.Wait()
	}
	to.mu.Lock()
	from.n -= n
	to.n += n
	to.mu.Unlock()
	from.mu.Unlock()
}

func wallets(fixed bool) {
	a, b := new(wallet), new(wallet)
	met := new(sync.WaitGroup)
	met.Add(2)
	for _, pair := range [][2]*wallet{{a, b}, {b, a}} {
		pair := pair
		go func() {
			plant.Here("wallets", "stuck")
			move(pair[0], pair[1], 1, met, fixed)
		}()
	}
}

func main() {
	plant.Main(
		plant.Shape{Name: "accounts", Run: accounts},
		plant.Shape{Name: "ring", Run: ring},
		plant.Shape{Name: "read-and-write", Run: readers},
		plant.Shape{Name: "package-variables", Run: packageVariables},
		plant.Shape{Name: "callback", Run: callback},
		plant.Shape{Name: "lone", Run: lone},
		plant.Shape{Name: "wallets", Run: wallets},
	)
}
