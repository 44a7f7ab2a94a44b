package blindtwins

import (
	"context"
	"io"
	"net"
	"time"
)

// Prober starts a look at each tick.
type Prober struct {
	tick *time.Ticker
	quit chan struct{}
	work chan string
}

// Run waits for the clock in each round.
func (p *Prober) Run(look func()) {
	for {
		go look() // hint goroutine-unbounded
		select {
		case <-p.tick.C:
		case <-p.quit:
			return
		}
	}
}

// Take waits for whatever comes.
func (p *Prober) Take(look func(string)) {
	for {
		select {
		case w := <-p.work:
			go look(w) // warn goroutine-unbounded
		case <-p.quit:
			return
		}
	}
}

// Peers come from elsewhere, a connection each.
type Peers struct {
	conns chan net.Conn
	jobs  chan io.Reader
	quit  chan struct{}
}

// Serve starts one for each connection.
func (p *Peers) Serve() {
	for {
		select {
		case c := <-p.conns:
			go p.serve(c) // hint goroutine-unbounded
		case <-p.quit:
			return
		}
	}
}

func (p *Peers) serve(c net.Conn) {
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(time.Minute))
	_, _ = io.Copy(io.Discard, c)
}

// Work starts one for each job.
func (p *Peers) Work() {
	for {
		select {
		case j := <-p.jobs:
			go p.work(j) // warn goroutine-unbounded
		case <-p.quit:
			return
		}
	}
}

func (p *Peers) work(r io.Reader) { _, _ = io.Copy(io.Discard, r) }

type question struct {
	n   int
	ack chan error
}

type quietQuestion struct {
	n   int
	got chan error
}

// Desk answers.
type Desk struct {
	in    chan question
	quiet chan quietQuestion
}

// Ask leaves with its context, and the answer has no room.
func (d *Desk) Ask(ctx context.Context, n int) error {
	q := question{n, make(chan error)}
	select {
	case d.in <- q:
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case err := <-q.ack:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// AskQuietly leaves too, and its answer has room.
func (d *Desk) AskQuietly(ctx context.Context, n int) error {
	q := quietQuestion{n, make(chan error, 1)}
	select {
	case d.quiet <- q:
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case err := <-q.got:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Answer waits for who has left.
func (d *Desk) Answer(ctx context.Context, f func(int) error) {
	for {
		select {
		case q := <-d.in:
			q.ack <- f(q.n) // warn send-abandoned
		case q := <-d.quiet:
			q.got <- f(q.n)
		case <-ctx.Done():
			return
		}
	}
}

// Batch is generic, and one of its channels is made nowhere.
type Batch[T any] struct {
	in    chan T
	ready chan struct{}
	done  chan struct{}
}

// NewBatch makes two of three.
func NewBatch[T any]() *Batch[T] {
	return &Batch[T]{in: make(chan T), done: make(chan struct{})}
}

// Ready waits for ever.
func (b *Batch[T]) Ready() {
	<-b.ready // warn channel-is-nil
}

// Done does not.
func (b *Batch[T]) Done() {
	<-b.done
}

// Put puts, and ends at the last.
func (b *Batch[T]) Put(v T, last bool) {
	b.in <- v
	if last {
		close(b.done)
	}
}

// Take takes.
func (b *Batch[T]) Take() T { return <-b.in }
