// What `send-abandoned` must not find.
package healthy

import (
	"context"
)

func buffered(ctx context.Context, get func() string) (string, error) {
	ch := make(chan string, 1)
	go func() { ch <- get() }()
	select {
	case s := <-ch:
		return s, nil
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

func always(f func() error) error {
	errc := make(chan error)
	go func() { errc <- f() }()
	return <-errc
}

func wayOut(ctx context.Context, f func() int) (int, error) {
	ch := make(chan int)
	go func() {
		select {
		case ch <- f():
		case <-ctx.Done():
		}
	}()
	select {
	case v := <-ch:
		return v, nil
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

func drained(ctx context.Context, f func() int) error {
	ch := make(chan int)
	go func() { ch <- f() }()
	select {
	case <-ch:
		return nil
	case <-ctx.Done():
		<-ch
		return ctx.Err()
	}
}

func ranged(n int) (sum int) {
	ch := make(chan int)
	go func() {
		defer close(ch)
		for i := 0; i < n; i++ {
			ch <- i
		}
	}()
	for v := range ch {
		sum += v
	}
	return sum
}

func given(ch chan int) {
	go func() { ch <- 1 }()
}
