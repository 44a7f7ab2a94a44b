// A cache of the pages used last: what is too old is taken out of the index, and in the order of use it is moved to the
// other end instead of taken out.
package main

import (
	"container/list"
	"time"

	_ "example.com/ways/internal/profiled"
)

type page struct {
	number int
	data   []byte
}

type lru struct {
	max   int
	index map[int]*list.Element
	order *list.List
}

//go:noinline
func readPage(number int) *page {
	p := &page{number: number, data: make([]byte, 16<<10)}
	for i := range p.data {
		p.data[i] = byte(number + i)
	}
	return p
}

func (l *lru) get(number int) *page {
	if e, ok := l.index[number]; ok {
		l.order.MoveToFront(e)
		return e.Value.(*page)
	}
	p := readPage(number)
	l.add(p)
	return p
}

func (l *lru) add(p *page) {
	if len(l.index) >= l.max {
		oldest := l.order.Back()
		delete(l.index, oldest.Value.(*page).number)
		l.order.MoveToFront(oldest)
	}
	l.index[p.number] = l.order.PushFront(p)
}

func scan(pages *lru, from, n int) (sum int) {
	for i := 0; i < n; i++ {
		sum += len(pages.get(from + i).data)
	}
	return sum
}

func main() {
	pages := &lru{max: 500, index: map[int]*list.Element{}, order: list.New()}
	for began := time.Now(); time.Since(began) < 1300*time.Millisecond; time.Sleep(5 * time.Millisecond) {
		scan(pages, 0, 300)
	}
	for n := 0; ; n += 16 {
		scan(pages, n, 16)
		time.Sleep(5 * time.Millisecond)
	}
}
