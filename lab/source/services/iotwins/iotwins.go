// Package iotwins opens, dials and asks as it should, or where it does not matter, and beside that where it
// does.
package iotwins

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"time"

	"golang.org/x/sync/errgroup"
)

// Panics writes to a file that is made when it is needed: what is deferred before closes it.
func Panics(lines <-chan string) {
	var fd *os.File
	defer func() {
		if fd != nil {
			_ = fd.Close()
		}
	}()
	for line := range lines {
		if fd == nil {
			var err error
			fd, err = os.Create("panic.log")
			if err != nil {
				continue
			}
		}
		fmt.Fprintln(fd, line)
	}
}

// Late defers the closing of another file.
func Late(names []string) error {
	var fd *os.File
	defer func() {
		if fd != nil {
			_ = fd.Name()
		}
	}()
	fd, err := os.Create(names[0]) // warn file-not-closed
	if err != nil {
		return err
	}
	_, err = fd.WriteString("x")
	return err
}

// Stats writes as long as the process lives.
func Stats() {
	fd, err := os.Create("stats.csv")
	if err != nil {
		return
	}
	for t := range time.NewTicker(time.Second).C {
		fmt.Fprintln(fd, t)
	}
}

// StatsUntil stops some day, and leaves the file open.
func StatsUntil(n int) {
	fd, err := os.Create("stats.csv") // warn file-not-closed
	if err != nil {
		return
	}
	for t := range time.NewTicker(time.Second).C {
		fmt.Fprintln(fd, t)
		if n--; n == 0 {
			break
		}
	}
}

// Rounds cancels at the end of each round, and what is deferred is for the ways out in between.
func Rounds(ctx context.Context, work func(context.Context) error) error {
	for {
		round, end := context.WithTimeout(ctx, time.Second)
		defer end() // hint defer-in-loop
		if err := work(round); err != nil {
			return err
		}
		end()
	}
}

type block struct{ r io.ReadCloser }

func (b *block) Close() error { return b.r.Close() }

func openBlock(name string) *block { return &block{} }

// Merge needs all blocks until all goroutines have ended.
func Merge(ctx context.Context, names []string) error {
	var g errgroup.Group
	for _, name := range names {
		b := openBlock(name)
		defer b.Close() // hint defer-in-loop
		g.Go(func() error {
			_, err := io.Copy(io.Discard, b.r)
			return err
		})
	}
	return g.Wait()
}

// Each needs one at a time.
func Each(names []string) error {
	for _, name := range names {
		b := openBlock(name)
		defer b.Close() // warn defer-in-loop
		if _, err := io.Copy(io.Discard, b.r); err != nil {
			return err
		}
	}
	return nil
}

// Probe has a timeout beside the context.
func Probe(ctx context.Context, addr string) error {
	conn, err := net.DialTimeout("tcp", addr, time.Second) // hint context-not-handed-on
	if err != nil {
		return err
	}
	return conn.Close()
}

type cache struct{ next http.Handler }

// ServeHTTP asks for an answer that others get too: it may not end with this request.
func (c *cache) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	shared := r.Clone(context.Background()) // hint context-not-handed-on
	c.next.ServeHTTP(w, shared)
}

type store interface {
	Load(ctx context.Context, key string) (string, error)
}

// Load is asked for a request and forgets it.
func Load(ctx context.Context, s store) (string, error) {
	return s.Load(context.Background(), "a") // warn context-not-handed-on
}

// Shared explains it.
func Shared(ctx context.Context, s store) (string, error) {
	// The context of the caller ends with the first that asks, and others wait for this too.
	return s.Load(context.Background(), "a") // hint context-not-handed-on
}

type follower struct{ cancel context.CancelFunc }

func (f *follower) follow(ctx context.Context) {}

// Follow goes on until somebody stops the follower.
func Follow(ctx context.Context) *follower {
	own, cancel := context.WithCancel(context.Background()) // hint context-not-handed-on
	f := &follower{cancel: func() { cancel() }}
	f.follow(own)
	return f
}

// Profiles is for who asks for them.
func Profiles(profAddr string) {
	go func() {
		_ = http.ListenAndServe(profAddr, nil) // hint server-no-timeout
	}()
}

// Preview says why.
func Preview(addr string) error {
	return http.ListenAndServe(addr, http.FileServer(http.Dir("."))) //nolint:gosec // for development only // hint server-no-timeout
}

// Public does not.
func Public(addr string, h http.Handler) error {
	return http.ListenAndServe(addr, h) // warn server-no-timeout
}

// Run has the word of a server that ends with the process.
func Run(s *http.Server, stop <-chan struct{}) error {
	errs := make(chan error)
	go func() {
		errs <- s.ListenAndServe() // hint send-abandoned
	}()
	select {
	case err := <-errs:
		return err
	case <-stop:
		return s.Close()
	}
}
