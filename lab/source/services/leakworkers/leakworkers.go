// Package leakworkers leaks as a program did before it was mended.
package leakworkers

import (
	"bufio"
	"fmt"
	"io"
	"sync"
)

type Index interface{ Put(line string) error }

func Import(r io.Reader, idx Index, n int) error {
	lines := make(chan string)
	errs := make(chan error, n)
	var wg sync.WaitGroup
	for i := 0; i < n; i++ {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for l := range lines { // warn range-never-closed
				if err := idx.Put(l); err != nil {
					errs <- err
					return
				}
			}
		}()
	}
	sc := bufio.NewScanner(r)
	num := 0
	for sc.Scan() {
		num++
		if len(sc.Text()) == 0 {
			return fmt.Errorf("line %d is empty", num)
		}
		lines <- sc.Text()
	}
	if err := sc.Err(); err != nil {
		return err
	}
	close(lines)
	wg.Wait()
	select {
	case err := <-errs:
		return err
	default:
		return nil
	}
}
