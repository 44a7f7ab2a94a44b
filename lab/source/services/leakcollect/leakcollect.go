// Package leakcollect leaks as a program did before it was mended.
package leakcollect

import (
	"context"
	"fmt"
)

type Result struct {
	Key string
	Err error
}

type Store interface {
	Keys(ctx context.Context) ([]string, error)
	Delete(ctx context.Context, key string) error
}

// Sweep deletes and tells what of.
func Sweep(ctx context.Context, s Store) <-chan Result {
	out := make(chan Result, 128)
	go func() {
		defer close(out)
		keys, err := s.Keys(ctx)
		if err != nil {
			out <- Result{Err: err}
			return
		}
		for _, k := range keys {
			out <- Result{Key: k, Err: s.Delete(ctx, k)} // warn send-abandoned
		}
	}()
	return out
}

func Clean(ctx context.Context, s Store) (int, error) {
	n := 0
	for r := range Sweep(ctx, s) {
		if r.Err != nil {
			return n, fmt.Errorf("delete %s: %w", r.Key, r.Err)
		}
		n++
	}
	return n, nil
}
