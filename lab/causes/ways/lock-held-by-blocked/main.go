// Command lock-held-by-blocked has goroutines that wait for a lock whose holder waits itself, for ever: at the end of
// each chain stands something else.
package main

import (
	"net"
	"sync"
	"time"

	"example.com/causes/internal/plant"
)

// ---- a channel that nobody sends on

type prices struct {
	mu sync.Mutex
	of map[string]int
}

func (p *prices) refresh(answer <-chan map[string]int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.of = <-answer
}

func (p *prices) lookup(sku string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.of[sku]
}

func receive(fixed bool) {
	p := &prices{of: map[string]int{}}
	answer := make(chan map[string]int)
	if fixed {
		plant.Later(func() { close(answer) })
	}
	go func() {
		plant.Here("receive", "end")
		p.refresh(answer)
	}()
	plant.Settle()
	for i := 0; i < 4; i++ {
		go func() {
			plant.Here("receive", "stuck")
			p.lookup("apple")
		}()
	}
}

// ---- three locks, and a wait group at the end

type layer struct {
	name string
	sync.Mutex
	below *layer
	ends  *sync.WaitGroup
}

func (l *layer) flush() {
	l.Lock()
	defer l.Unlock()
	if l.below != nil {
		l.below.flush()
	} else {
		l.ends.Wait()
	}
}

func chain(fixed bool) {
	disk := &layer{name: "disk", ends: new(sync.WaitGroup)}
	disk.ends.Add(2)
	if fixed {
		plant.AtEnd(func() { disk.ends.Add(-2) })
	}
	block := &layer{name: "block", below: disk}
	file := &layer{name: "file", below: block}
	for i, l := range []*layer{disk, block, file, file} {
		l, role := l, "stuck"
		if i == 0 {
			role = "end"
		}
		go func() {
			plant.Here("chain", role)
			l.flush()
		}()
		plant.Settle()
	}
}

// ---- a send under a lock, to somebody who wants the lock before it receives

type broker struct {
	mu    sync.Mutex
	queue chan string
	sent  int
}

func (b *broker) publish(text string, fixed bool) {
	b.mu.Lock()
	if fixed {
		b.mu.Unlock()
		b.queue <- text
		return
	}
	defer b.mu.Unlock()
	b.queue <- text
	b.sent++
}

func (b *broker) deliver(fixed bool) {
	for {
		b.mu.Lock()
		if fixed {
			time.Sleep(time.Hour)
		}
		b.sent--
		b.mu.Unlock()
		<-b.queue
	}
}

func sendUnderLock(fixed bool) {
	b := &broker{queue: make(chan string, 2)}
	b.publish("one", fixed)
	b.publish("two", fixed)
	go func() {
		plant.Here("send-under-lock", "end")
		b.publish("three", fixed)
	}()
	plant.Settle()
	go func() {
		plant.Here("send-under-lock", "stuck")
		b.deliver(fixed)
	}()
}

// ---- readers behind a writer that is stuck

type table struct {
	sync.RWMutex
	rows map[int]string
}

func (t *table) load(rows <-chan string) {
	t.Lock()
	defer t.Unlock()
	for r := range rows {
		t.rows[len(t.rows)] = r
	}
}

func (t *table) row(i int) string {
	t.RLock()
	defer t.RUnlock()
	return t.rows[i]
}

func readers(fixed bool) {
	t := &table{rows: map[int]string{}}
	rows := make(chan string, 3)
	rows <- "first"
	if fixed {
		plant.Later(func() { close(rows) })
	}
	go func() {
		plant.Here("readers", "end")
		t.load(rows)
	}()
	plant.Settle()
	for i := 0; i < 5; i++ {
		go func() {
			plant.Here("readers", "stuck")
			t.row(0)
		}()
	}
}

// ---- sync.Once whose function hangs

type lazy[T any] struct {
	once sync.Once
	make func() T
	got  T
}

func (l *lazy[T]) get() T {
	l.once.Do(func() { l.got = l.make() })
	return l.got
}

func once(fixed bool) {
	ready := make(chan struct{})
	if fixed {
		plant.AtEnd(func() { close(ready) })
	}
	l := &lazy[[]string]{make: func() []string {
		<-ready
		return []string{"x"}
	}}
	go func() {
		plant.Here("once", "end")
		l.get()
	}()
	plant.Settle()
	for i := 0; i < 3; i++ {
		go func() {
			plant.Here("once", "stuck")
			l.get()
		}()
	}
}

// ---- a read from a peer that never answers, under the lock of the connection

type session struct {
	mu    sync.Mutex
	conn  net.Conn
	calls int
}

func (s *session) call(b byte, fixed bool) byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	if fixed {
		s.conn.SetDeadline(time.Now().Add(time.Hour))
	}
	buf := []byte{b}
	s.conn.Write(buf)
	s.conn.Read(buf)
	s.calls++
	return buf[0]
}

// silent is a server that takes connections and says nothing: it has no goroutine.
func silent() net.Listener {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	return l
}

func peer(fixed bool) {
	l := silent()
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		panic(err)
	}
	plant.AtEnd(func() { l.Close() })
	s := &session{conn: conn}
	plant.Fact("peer", "peer", l.Addr())
	go func() {
		plant.Here("peer", "end")
		s.call('a', fixed)
	}()
	plant.Settle()
	for i := 0; i < 3; i++ {
		go func() {
			plant.Here("peer", "stuck")
			s.call('b', fixed)
		}()
	}
}

// ---- a package variable

var (
	metricsMu sync.Mutex
	metrics   = map[string]float64{}
)

func report(to chan<- map[string]float64) {
	metricsMu.Lock()
	defer metricsMu.Unlock()
	to <- metrics
}

func count(name string) {
	metricsMu.Lock()
	metrics[name]++
	metricsMu.Unlock()
}

func packageVariable(fixed bool) {
	to := make(chan map[string]float64)
	if fixed {
		plant.AtEnd(func() { <-to })
	}
	go func() {
		plant.Here("package-variable", "end")
		report(to)
	}()
	plant.Settle()
	for i := 0; i < 3; i++ {
		go func() {
			plant.Here("package-variable", "stuck")
			count("hits")
		}()
	}
}

func main() {
	plant.Main(
		plant.Shape{Name: "receive", Run: receive},
		plant.Shape{Name: "chain", Run: chain},
		plant.Shape{Name: "send-under-lock", Run: sendUnderLock},
		plant.Shape{Name: "readers", Run: readers},
		plant.Shape{Name: "once", Run: once},
		plant.Shape{Name: "peer", Run: peer},
		plant.Shape{Name: "package-variable", Run: packageVariable},
	)
}
