// What `time-after-in-loop` must find.
package sick

import (
	"context"
	"fmt"
	"time"
)

func consume(in chan int) {
	for {
		select {
		case v := <-in:
			fmt.Println(v)
		case <-time.After(time.Minute): // want time-after-in-loop
			return
		}
	}
}

func idle(ctx context.Context, msgs <-chan string) {
	for {
		select {
		case <-ctx.Done():
			return
		case m := <-msgs:
			fmt.Println(m)
		case <-time.After(5 * time.Minute): // want time-after-in-loop
			fmt.Println("idle")
		}
	}
}

func (r *reader) run() {
	for r.open {
		select {
		case r.last = <-r.in:
		case <-time.After(time.Hour): // want time-after-in-loop
			r.open = false
		}
	}
}

type reader struct {
	open bool
	last int
	in   chan int
}

func batch(in chan int, flush func([]int)) {
	var buf []int
	for {
		select {
		case v := <-in:
			buf = append(buf, v)
		case <-time.After(time.Second): // want time-after-in-loop
			flush(buf)
			buf = buf[:0]
		}
	}
}

func drain(ch <-chan int, n int) (sum int) {
	for i := 0; i < n; i++ {
		select {
		case v, ok := <-ch:
			if !ok {
				return sum
			}
			sum += v
		case <-time.After(30 * time.Second): // want time-after-in-loop
			return sum
		}
	}
	return sum
}

func spin(ch chan int) {
	for {
		select {
		case <-time.After(time.Second): // want time-after-in-loop
			return
		default:
			fmt.Println(len(ch))
		}
	}
}
