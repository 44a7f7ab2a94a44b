// What `defer-in-loop` must not find.
package healthy

import (
	"io"
	"os"
	"sync"
)

func sizes(paths []string) (n int64) {
	for _, p := range paths {
		func() {
			f, err := os.Open(p)
			if err != nil {
				return
			}
			defer f.Close()
			n++
		}()
	}
	return n
}

func explicit(paths []string) {
	for _, p := range paths {
		f, err := os.Open(p)
		if err != nil {
			continue
		}
		f.Close()
	}
}

func first(paths []string) error {
	for _, p := range paths {
		if p == "" {
			continue
		}
		f, err := os.Open(p)
		if err != nil {
			return err
		}
		defer f.Close()
		return nil
	}
	return nil
}

func goroutines(n int) {
	var wg sync.WaitGroup
	for i := 0; i < n; i++ {
		wg.Add(1)
		go func() {
			defer wg.Done()
		}()
	}
	wg.Wait()
}

func before(mu *sync.Mutex, xs []int) (n int) {
	mu.Lock()
	defer mu.Unlock()
	for _, x := range xs {
		n += x
	}
	return n
}

func retry(open func() (io.Closer, error)) error {
	for {
		c, err := open()
		if err == nil {
			defer c.Close()
			break
		}
	}
	return nil
}
