// What `send-abandoned` must find.
package sick

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"
)

func fetch(ctx context.Context, get func() (string, error)) (string, error) {
	ch := make(chan string)
	go func() {
		s, _ := get()
		ch <- s // want send-abandoned
	}()
	select {
	case s := <-ch:
		return s, nil
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

func withTimeout(f func() error) error {
	errc := make(chan error)
	go func() {
		errc <- f() // want send-abandoned
	}()
	select {
	case err := <-errc:
		return err
	case <-time.After(time.Second):
		return errors.New("timeout")
	}
}

func early(load func() int, ok func() bool) int {
	ch := make(chan int)
	go func() {
		ch <- load() // want send-abandoned
	}()
	if !ok() {
		return 0
	}
	return <-ch
}

type result struct {
	v   int
	err error
}

func query(w http.ResponseWriter, r *http.Request) {
	res := make(chan result)
	go func() {
		res <- result{v: 1} // want send-abandoned
	}()
	select {
	case x := <-res:
		fmt.Fprintln(w, x.v)
	case <-r.Context().Done():
		return
	}
}

func poll(f func() bool) bool {
	c := make(chan bool, 0)
	go func() { c <- f() }() // want send-abandoned
	select {
	case b := <-c:
		return b
	default:
		return false
	}
}

func race(a func() int, timer *time.Timer) (int, bool) {
	ch := make(chan int)
	go func(out chan int) {
		v := a()
		ch <- v // want send-abandoned
	}(nil)
	select {
	case v := <-ch:
		return v, true
	case <-timer.C:
		return 0, false
	}
}
