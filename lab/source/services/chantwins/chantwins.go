// Package chantwins waits for channels of its own goroutines, and beside that for those of others.
package chantwins

import "context"

type records struct{ in chan string }

func out(ch <-chan string) error {
	for range ch {
	}
	return nil
}

// Transfer sends to a goroutine of its own, which always gives its word.
func Transfer(ctx context.Context, all []string) error {
	ch := make(chan string)
	errs := make(chan error)
	go func() {
		if err := out(ch); err != nil {
			errs <- err
		}
		close(errs)
	}()
	for _, one := range all {
		select { // hint select-no-way-out
		case ch <- one:
		case err := <-errs:
			return err
		}
	}
	close(ch)
	return <-errs
}

// Hand sends to whoever has the other end.
func Hand(ctx context.Context, r *records, errs <-chan error) error {
	select { // warn select-no-way-out
	case r.in <- "a":
	case err := <-errs:
		return err
	}
	return nil
}

// Ask waits for the word of a goroutine that is started beside it.
func Ask(ctx context.Context, other <-chan string, load func() string) string {
	answer := make(chan string, 1)
	go func() {
		answer <- load()
	}()
	select { // hint select-no-way-out
	case a := <-answer:
		return a
	case o := <-other:
		return o
	}
}

// In is where records come from.
func (r *records) In() <-chan string { return r.in }

type outbox struct {
	mails chan string
	sent  chan string
	hook  chan string
	lines chan string
}

func newOutbox() *outbox {
	return &outbox{
		mails: make(chan string),
		sent:  make(chan string),
		lines: make(chan string, 8),
	}
}

// Queue sends where nobody receives.
func (o *outbox) Queue(mail string) {
	o.mails <- mail // warn channel-one-sided
}

// Tell sends to who ranges.
func (o *outbox) Tell(mail string) {
	o.sent <- mail
	if o.hook != nil {
		o.hook <- mail
	}
	o.lines <- mail
}

// Log receives it.
func (o *outbox) Log(ctx context.Context) (n int) {
	for {
		select {
		case <-o.sent:
			n++
		case <-ctx.Done():
			return n
		}
	}
}
