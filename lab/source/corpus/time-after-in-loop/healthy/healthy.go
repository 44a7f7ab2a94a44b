// What `time-after-in-loop` must not find.
package healthy

import (
	"context"
	"fmt"
	"time"
)

func oneTimer(in chan int) {
	timer := time.NewTimer(time.Minute)
	defer timer.Stop()
	for {
		select {
		case v := <-in:
			fmt.Println(v)
			timer.Reset(time.Minute)
		case <-timer.C:
			return
		}
	}
}

func backoff(ctx context.Context, f func() error) error {
	for i := 0; i < 5; i++ {
		if f() == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Second):
		}
	}
	return nil
}

func sleep(n int) {
	for i := 0; i < n; i++ {
		<-time.After(time.Millisecond)
	}
}

func outside(in chan int) {
	deadline := time.After(time.Minute)
	for {
		select {
		case v := <-in:
			fmt.Println(v)
		case <-deadline:
			return
		}
	}
}

func single(in chan int) int {
	select {
	case v := <-in:
		return v
	case <-time.After(time.Second):
		return 0
	}
}

func eachItsOwn(n int, in chan int) {
	for i := 0; i < n; i++ {
		func() {
			select {
			case <-in:
			case <-time.After(time.Second):
			}
		}()
	}
}
