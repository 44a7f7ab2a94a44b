// What `result-channel-read-once` must find.
package sick

import (
	"errors"
	"net"
	"time"
)

func fastest(urls []string, get func(string) string) string {
	ch := make(chan string)
	for _, u := range urls {
		go func(u string) {
			ch <- get(u) // want result-channel-read-once
		}(u)
	}
	return <-ch
}

func either(a, b func() int) int {
	ch := make(chan int)
	go func() { ch <- a() }() // want result-channel-read-once
	go func() { ch <- b() }()
	return <-ch
}

func replicas(conns []net.Conn, timeout time.Duration) (n int, err error) {
	res := make(chan int, 1)
	for _, c := range conns {
		go func(c net.Conn) {
			var b [1]byte
			k, _ := c.Read(b[:]) // want conn-no-deadline
			res <- k // want result-channel-read-once
		}(c)
	}
	select {
	case n = <-res:
		return n, nil
	case <-time.After(timeout):
		return 0, errors.New("timeout")
	}
}

func first(n int, work func(int) error) error {
	errs := make(chan error)
	for i := 0; i < n; i++ {
		go func(i int) {
			errs <- work(i) // want result-channel-read-once
		}(i)
	}
	if err := <-errs; err != nil {
		return err
	}
	return nil
}

func three(f, g, h func() string) string {
	c := make(chan string)
	go func() { c <- f() }() // want result-channel-read-once
	go func() { c <- g() }()
	go func() { c <- h() }()
	s := <-c
	return s
}
