// Two hundred requests walk a list of ten thousand links, one frame a link: each stack is a megabyte and more, none of
// them is endless.
package main

import (
	"sync"
	"time"

	_ "example.com/ways/internal/debugport"
)

type link struct {
	next   *link
	weight int
}

func chain(n int) *link {
	var head *link
	for i := 0; i < n; i++ {
		head = &link{next: head, weight: i}
	}
	return head
}

type walker struct {
	mu    sync.RWMutex
	total int
}

//go:noinline
func (w *walker) weigh(l *link) int {
	var seen [24]int
	if l == nil {
		time.Sleep(time.Minute)
		return 0
	}
	seen[l.weight%24] = l.weight
	return w.weigh(l.next) + seen[l.weight%24]
}

func (w *walker) handle(list *link) {
	n := w.weigh(list)
	w.mu.Lock()
	w.total += n
	w.mu.Unlock()
}

func main() {
	short, long := chain(40), chain(12_000)
	w := &walker{}
	go w.handle(short)
	time.Sleep(1300 * time.Millisecond)
	for range time.Tick(25 * time.Millisecond) {
		go w.handle(long)
	}
}
