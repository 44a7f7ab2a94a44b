// Package leakstage leaks as a program did before it was mended.
package leakstage

import "context"

type Item struct{ N int }

func Map(done <-chan struct{}, in <-chan Item, f func(Item) Item) <-chan Item {
	out := make(chan Item)
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
				out <- f(v) // warn send-abandoned
			}
		}
	}()
	return out
}

func First(ctx context.Context, in <-chan Item) (Item, bool) {
	done := make(chan struct{})
	defer close(done)
	out := Map(done, in, func(i Item) Item { i.N++; return i })
	for {
		select {
		case i, ok := <-out:
			if !ok || i.N > 10 {
				return i, ok
			}
		case <-ctx.Done():
			return Item{}, false
		}
	}
}
