// Package pipeline has stages with channels.
package pipeline

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"
)

// Lines sends lines to a channel; whoever stops reading leaves the goroutine behind.
func Lines(r io.Reader) <-chan string {
	out := make(chan string)
	go func() {
		defer close(out)
		sc := bufio.NewScanner(r)
		for sc.Scan() {
			out <- sc.Text()
		}
	}()
	return out
}

// Find returns at the first match and leaves the sender behind.
func Find(r io.Reader, word string) (string, bool) {
	lines := make(chan string)
	go func() {
		defer close(lines)
		sc := bufio.NewScanner(r)
		for sc.Scan() {
			lines <- sc.Text() // want send-abandoned
		}
	}()
	for l := range lines {
		if strings.Contains(l, word) {
			return l, true
		}
	}
	return "", false
}

// FindCtx tells the sender to end: healthy.
func FindCtx(ctx context.Context, r io.Reader, word string) (string, bool) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	lines := make(chan string)
	go func() {
		defer close(lines)
		sc := bufio.NewScanner(r)
		for sc.Scan() {
			select {
			case lines <- sc.Text():
			case <-ctx.Done():
				return
			}
		}
	}()
	for l := range lines {
		if strings.Contains(l, word) {
			return l, true
		}
	}
	return "", false
}

// Sum ranges over a channel that nobody closes.
func Sum(parts [][]int) int {
	ch := make(chan int)
	var wg sync.WaitGroup
	for _, p := range parts {
		wg.Add(1)
		go func() {
			defer wg.Done()
			n := 0
			for _, x := range p {
				n += x
			}
			ch <- n
		}()
	}
	total := 0
	for n := range ch { // want range-never-closed
		total += n
	}
	wg.Wait()
	return total
}

// SumCloses closes when all are done: healthy.
func SumCloses(parts [][]int) int {
	ch := make(chan int)
	var wg sync.WaitGroup
	for _, p := range parts {
		wg.Add(1)
		go func() {
			defer wg.Done()
			n := 0
			for _, x := range p {
				n += x
			}
			ch <- n
		}()
	}
	go func() {
		wg.Wait()
		close(ch)
	}()
	total := 0
	for n := range ch {
		total += n
	}
	return total
}

// WaitFirst waits for the group before it reads: the senders wait for it.
func WaitFirst(parts [][]int) int {
	ch := make(chan int)
	var wg sync.WaitGroup
	for _, p := range parts {
		wg.Add(1)
		go func() {
			defer wg.Done()
			ch <- len(p) // want send-abandoned
		}()
	}
	wg.Wait()
	close(ch)
	total := 0
	for n := range ch {
		total += n
	}
	return total
}

// Files opens all and closes at the end.
func Files(names []string) (err error) {
	var g errgroup.Group
	for _, name := range names {
		f, err := os.Open(name)
		if err != nil {
			return err
		}
		defer f.Close() // want defer-in-loop
		g.Go(func() error {
			_, err := io.Copy(io.Discard, f)
			return err
		})
	}
	return g.Wait()
}

// Copy closes what it opened where all goes well.
func Copy(from, to string) error {
	src, err := os.Open(from) // want file-not-closed
	if err != nil {
		return err
	}
	dst, err := os.Create(to)
	if err != nil {
		return err
	}
	defer src.Close()
	defer dst.Close()
	_, err = io.Copy(dst, src)
	return err
}

// CopyEach closes at once: healthy.
func CopyEach(from, to string) error {
	src, err := os.Open(from)
	if err != nil {
		return err
	}
	defer src.Close()
	dst, err := os.Create(to)
	if err != nil {
		return err
	}
	if _, err := io.Copy(dst, src); err != nil {
		return errors.Join(err, dst.Close())
	}
	return dst.Close()
}

// Crawl starts a goroutine for each link it finds, and so on.
func Crawl(links <-chan string, visit func(string)) {
	for l := range links {
		go visit(l) // want goroutine-unbounded
	}
}

// CrawlBounded has a limit: healthy.
func CrawlBounded(links <-chan string, visit func(string)) error {
	var g errgroup.Group
	g.SetLimit(16)
	for l := range links {
		g.Go(func() error { visit(l); return nil })
	}
	return g.Wait()
}
