// What `slots-not-cleared` must find.
package sick

type task struct{ data []byte }

type queue struct {
	items []*task
	bufs  [][]byte
	jobs  []job
}

type job struct{ t *task }

func (q *queue) pop() *task {
	t := q.items[0]
	q.items = q.items[1:] // want slots-not-cleared
	return t
}

func (q *queue) last() *task {
	t := q.items[len(q.items)-1]
	q.items = q.items[:len(q.items)-1] // want slots-not-cleared
	return t
}

func (q *queue) remove(i int) {
	q.items = append(q.items[:i], q.items[i+1:]...) // want slots-not-cleared
}

var free [][]byte

func get() []byte {
	b := free[len(free)-1]
	free = free[:len(free)-1] // want slots-not-cleared
	return b
}

func (q *queue) reset() {
	q.bufs = q.bufs[:0] // want slots-not-cleared
}

func (q *queue) drop(n int) {
	q.jobs = q.jobs[n:] // want slots-not-cleared
}
