package presence

import (
	"context"
	"log"
	"time"
)

type Store interface {
	Touch(ctx context.Context, user string) error
}

// Watch keeps a user's presence alive. It is called for every connection.
func Watch(store Store, user string, done <-chan struct{}) {
	t := time.NewTicker(5 * time.Second) // hint ticker-not-stopped
	for {
		select {
		case <-t.C:
			if err := store.Touch(context.Background(), user); err != nil {
				log.Println(err)
			}
		case <-done:
			return
		}
	}
}

func Poll(ch <-chan string, quit chan bool) {
	for {
		select {
		case s := <-ch:
			log.Println(s)
		case <-time.After(time.Minute): // hint time-after-in-loop
			log.Println("idle")
		case <-quit:
			return
		}
	}
}
