// Package lefttwins leaves before the last value has come, and beside it stands who does not.
package lefttwins

import (
	"bufio"
	"context"
	"errors"
	"io"
	"sync"
)

type store interface {
	Keys(ctx context.Context) []string
	Delete(ctx context.Context, key string) error
}

func sweep(ctx context.Context, s store) <-chan error {
	out := make(chan error, 8)
	go func() {
		defer close(out)
		for _, k := range s.Keys(ctx) {
			out <- s.Delete(ctx, k) // warn send-abandoned
		}
	}()
	return out
}

// Clean leaves at the first error.
func Clean(ctx context.Context, s store) error {
	for err := range sweep(ctx, s) {
		if err != nil {
			return err
		}
	}
	return nil
}

func sweepAll(ctx context.Context, s store) <-chan error {
	out := make(chan error, 8)
	go func() {
		defer close(out)
		for _, k := range s.Keys(ctx) {
			out <- s.Delete(ctx, k)
		}
	}()
	return out
}

// CleanAll hears all of it.
func CleanAll(ctx context.Context, s store) error {
	var all []error
	for err := range sweepAll(ctx, s) {
		if err != nil {
			all = append(all, err)
		}
	}
	return errors.Join(all...)
}

func watch(next func() error) chan error {
	ret := make(chan error, 1)
	go func() {
		for {
			if err := next(); err != nil {
				ret <- err
				return
			}
		}
	}()
	return ret
}

// Follow may leave: there is room for the one word.
func Follow(ctx context.Context, next func() error) error {
	ret := watch(next)
	select {
	case err := <-ret:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func stage(done <-chan struct{}, in <-chan int) <-chan int {
	out := make(chan int)
	go func() {
		defer close(out)
		for {
			select {
			case <-done:
				return
			case v, ok := <-in:
				if !ok {
					return
				}
				out <- v + 1 // warn send-abandoned
			}
		}
	}()
	return out
}

// First has enough at some time.
func First(ctx context.Context, in <-chan int) (int, bool) {
	done := make(chan struct{})
	defer close(done)
	out := stage(done, in)
	for {
		select {
		case v, ok := <-out:
			if !ok || v > 10 {
				return v, ok
			}
		case <-ctx.Done():
			return 0, false
		}
	}
}

func lines(r io.Reader, out chan<- string) {
	defer close(out)
	sc := bufio.NewScanner(r)
	for sc.Scan() {
		out <- sc.Text() // want send-abandoned
	}
}

// Head has enough after some lines.
func Head(r io.Reader, n int, put func(string) error) error {
	in := make(chan string)
	go lines(r, in)
	for l := range in {
		if n--; n < 0 {
			return nil
		}
		if err := put(l); err != nil {
			return err
		}
	}
	return nil
}

func linesUntil(ctx context.Context, r io.Reader, out chan<- string) {
	defer close(out)
	sc := bufio.NewScanner(r)
	for sc.Scan() {
		select {
		case out <- sc.Text():
		case <-ctx.Done():
			return
		}
	}
}

// HeadUntil tells when it has enough.
func HeadUntil(ctx context.Context, r io.Reader, n int) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	in := make(chan string)
	go linesUntil(ctx, r, in)
	for range in {
		if n--; n < 0 {
			return nil
		}
	}
	return nil
}

// Import leaves its workers at an empty line.
func Import(sc *bufio.Scanner, put func(string)) error {
	work := make(chan string)
	var wg sync.WaitGroup
	for range 4 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for l := range work { // warn range-never-closed
				put(l)
			}
		}()
	}
	for sc.Scan() {
		if sc.Text() == "" {
			return errors.New("empty")
		}
		work <- sc.Text()
	}
	close(work)
	wg.Wait()
	return nil
}

// ImportAll closes on every path.
func ImportAll(sc *bufio.Scanner, put func(string)) error {
	work := make(chan string)
	defer close(work)
	for range 4 {
		go func() {
			for l := range work {
				put(l)
			}
		}()
	}
	for sc.Scan() {
		if sc.Text() == "" {
			return errors.New("empty")
		}
		work <- sc.Text()
	}
	return nil
}
