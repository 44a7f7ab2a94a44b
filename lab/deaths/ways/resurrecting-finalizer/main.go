// Blocks that nobody has any more come back by their finalizers into lists by size. Hardly a size is asked for twice, and
// what came back stays.
package main

import (
	"runtime"
	"time"

	_ "example.com/ways/internal/profiled"
)

type block struct{ data []byte }

type returned struct {
	b    *block
	size int
}

type recycler struct {
	back chan returned
	free map[int][]*block
}

//go:noinline
func newBlock(size int) *block {
	b := &block{data: make([]byte, size)}
	for i := range b.data {
		b.data[i] = byte(i)
	}
	return b
}

func (r *recycler) release(b *block) {
	r.back <- returned{b, len(b.data)}
}

func (r *recycler) collect() {
	for {
		select {
		case x := <-r.back:
			r.free[x.size] = append(r.free[x.size], x.b)
		default:
			return
		}
	}
}

func (r *recycler) get(size int) *block {
	r.collect()
	if l := r.free[size]; len(l) > 0 {
		r.free[size] = l[:len(l)-1]
		return l[len(l)-1]
	}
	b := newBlock(size)
	runtime.SetFinalizer(b, r.release)
	return b
}

func main() {
	r := &recycler{back: make(chan returned, 64), free: map[int][]*block{}}
	for began := time.Now(); time.Since(began) < 1300*time.Millisecond; time.Sleep(10 * time.Millisecond) {
		r.get(4096)
	}
	for n, began := 0, time.Now(); ; time.Sleep(time.Millisecond) {
		for ; n < int(time.Since(began).Seconds()*2500); n++ {
			r.get(20000 + n)
		}
	}
}
