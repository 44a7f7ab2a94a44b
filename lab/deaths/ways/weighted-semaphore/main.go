// Only so many videos are encoded at a time. A broken one returns early and does not give its share back: after a few of
// them everybody waits for a share, with the frames already read.
package main

import (
	"context"
	"errors"
	"time"

	"example.com/ways/weighted-semaphore/sem"

	_ "example.com/ways/internal/profiled"
)

type encoder struct{ share *sem.Weighted }

var errBroken = errors.New("broken frame")

//go:noinline
func readFrames(id int) []uint16 {
	frames := make([]uint16, 200<<10)
	for i := range frames {
		frames[i] = uint16(id + i)
	}
	return frames
}

func check(frames []uint16, broken bool) error {
	if broken {
		return errBroken
	}
	return nil
}

func (e *encoder) encode(ctx context.Context, id int, broken bool) (int, error) {
	frames := readFrames(id)
	if err := e.share.Acquire(ctx, 2); err != nil {
		return 0, err
	}
	if err := check(frames, broken); err != nil {
		return 0, err
	}
	defer e.share.Release(2)
	sum := 0
	for _, f := range frames {
		sum += int(f)
	}
	return sum, nil
}

func main() {
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	e := &encoder{share: sem.New(8)}
	id := 0
	for began := time.Now(); time.Since(began) < 1300*time.Millisecond; time.Sleep(12 * time.Millisecond) {
		e.encode(ctx, id, false)
		id++
	}
	for ; ; id++ {
		go e.encode(ctx, id, id%5 == 0)
		time.Sleep(8 * time.Millisecond)
	}
}
