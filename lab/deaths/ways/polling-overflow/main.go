// What the workers cannot take at once is given to a goroutine of its own, which tries again and again. The workers have
// become slow, and all that comes is tried again and again.
package main

import (
	"sync/atomic"
	"time"

	_ "example.com/ways/internal/profiled"
)

type job struct {
	id      int
	payload []byte
}

type dispatcher struct {
	jobs chan *job
	pace int64
}

//go:noinline
func newJob(id int) *job {
	j := &job{id: id, payload: make([]byte, 64<<10)}
	for i := range j.payload {
		j.payload[i] = byte(id)
	}
	return j
}

func (d *dispatcher) work() {
	for range d.jobs {
		time.Sleep(time.Duration(atomic.LoadInt64(&d.pace)))
	}
}

func (d *dispatcher) later(j *job) {
	for {
		select {
		case d.jobs <- j:
			return
		default:
			time.Sleep(50 * time.Millisecond)
		}
	}
}

func (d *dispatcher) dispatch(j *job) {
	select {
	case d.jobs <- j:
	default:
		go d.later(j)
	}
}

func main() {
	d := &dispatcher{jobs: make(chan *job, 8), pace: int64(time.Millisecond)}
	for w := 0; w < 4; w++ {
		go d.work()
	}
	for n, began := 0, time.Now(); ; time.Sleep(time.Millisecond) {
		if time.Since(began) > 1300*time.Millisecond {
			atomic.StoreInt64(&d.pace, int64(500*time.Millisecond))
		}
		for ; n < int(time.Since(began).Seconds()*700); n++ {
			d.dispatch(newJob(n))
		}
	}
}
