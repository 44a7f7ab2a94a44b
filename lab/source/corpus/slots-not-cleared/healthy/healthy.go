// What `slots-not-cleared` must not find.
package healthy

import (
	"slices"
)

type task struct{ data []byte }

type queue struct {
	items []*task
	ids   []int
}

func (q *queue) pop() *task {
	t := q.items[0]
	q.items[0] = nil
	q.items = q.items[1:]
	return t
}

func (q *queue) next() int {
	n := q.ids[0]
	q.ids = q.ids[1:]
	return n
}

func (q *queue) remove(i int) {
	q.items = slices.Delete(q.items, i, i+1)
}

func (q *queue) last() *task {
	n := len(q.items) - 1
	t := q.items[n]
	q.items[n] = nil
	q.items = q.items[:n]
	return t
}

func (q *queue) reset() {
	clear(q.items)
	q.items = q.items[:0]
}

func local(ts []*task) {
	for len(ts) > 0 {
		ts = ts[1:]
	}
}
