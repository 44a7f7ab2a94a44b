// What `result-channel-read-once` must not find.
package healthy

func fastest(urls []string, get func(string) string) string {
	ch := make(chan string, len(urls))
	for _, u := range urls {
		go func(u string) { ch <- get(u) }(u)
	}
	return <-ch
}

func both(a, b func() int) int {
	ch := make(chan int)
	go func() { ch <- a() }()
	go func() { ch <- b() }()
	return <-ch + <-ch
}

func all(n int, work func(int) error) (err error) {
	errs := make(chan error)
	for i := 0; i < n; i++ {
		go func(i int) { errs <- work(i) }(i)
	}
	for i := 0; i < n; i++ {
		if e := <-errs; e != nil {
			err = e
		}
	}
	return err
}

func two(a, b func() int) int {
	ch := make(chan int, 2)
	go func() { ch <- a() }()
	go func() { ch <- b() }()
	return <-ch
}

func try(n int, work func() int) int {
	ch := make(chan int, 1)
	for i := 0; i < n; i++ {
		go func() {
			select {
			case ch <- work():
			default:
			}
		}()
	}
	return <-ch
}

func paths(ok bool, a, b func() int) int {
	ch := make(chan int)
	go func() {
		if ok {
			ch <- a()
			return
		}
		ch <- b()
	}()
	return <-ch
}
