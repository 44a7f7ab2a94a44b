// Package notify sends messages with retries.
package notify

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log"
	"net/http"
	"sync"
	"time"
)

// Sender sends.
type Sender struct {
	url     string
	client  http.Client
	pending map[string]chan error
	mu      sync.Mutex
	sent    []string
	history map[string][]time.Time
	backlog chan Message
}

// Message is sent.
type Message struct {
	ID   string
	Body string
}

// Send tries three times and leaves the bodies of those that failed open.
func (s *Sender) Send(ctx context.Context, m Message) error {
	b, err := json.Marshal(m)
	if err != nil {
		return err
	}
	var last error
	for i := 0; i < 3; i++ {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url, bytes.NewReader(b))
		if err != nil {
			return err
		}
		resp, err := s.client.Do(req) // want body-not-closed
		if err != nil {
			last = err
			continue
		}
		if resp.StatusCode >= 500 {
			last = errors.New(resp.Status)
			continue
		}
		resp.Body.Close()
		return nil
	}
	return last
}

// SendClosed closes each: healthy.
func (s *Sender) SendClosed(ctx context.Context, m Message) (err error) {
	b, err := json.Marshal(m)
	if err != nil {
		return err
	}
	for i := 0; i < 3; i++ {
		var req *http.Request
		if req, err = http.NewRequestWithContext(ctx, http.MethodPost, s.url, bytes.NewReader(b)); err != nil {
			return err
		}
		var resp *http.Response
		if resp, err = s.client.Do(req); err != nil {
			continue
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
		if resp.StatusCode < 500 {
			return nil
		}
		err = errors.New(resp.Status)
	}
	return err
}

// Await registers a channel that nobody takes out when the time is over.
func (s *Sender) Await(ctx context.Context, id string) error {
	ch := make(chan error)
	s.mu.Lock()
	s.pending[id] = ch // want map-only-grows
	s.mu.Unlock()
	select {
	case err := <-ch:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Ack answers who waits.
func (s *Sender) Ack(id string, err error) {
	s.mu.Lock()
	ch := s.pending[id]
	s.mu.Unlock()
	if ch != nil {
		ch <- err // miss send-abandoned
	}
}

// Record remembers all.
func (s *Sender) Record(m Message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sent = append(s.sent, m.ID)
	s.history[m.ID] = append(s.history[m.ID], time.Now()) // want map-only-grows
}

// Enqueue waits for room with the lock held.
func (s *Sender) Enqueue(m Message) {
	s.mu.Lock()
	s.backlog <- m // want lock-held-across-wait
	s.mu.Unlock()
}

// EnqueueLater gives the lock back first: healthy.
func (s *Sender) EnqueueLater(m Message) {
	s.mu.Lock()
	s.sent = append(s.sent[:0], m.ID)
	s.mu.Unlock()
	s.backlog <- m
}

// Loop has a ticker that a break leaves running, and a break that leaves only the select.
func (s *Sender) Loop(ctx context.Context) {
	for { // want goroutine-no-exit
		select {
		case m := <-s.backlog:
			if err := s.Send(ctx, m); err != nil {
				log.Print(err)
			}
		case <-ctx.Done():
			break
		}
	}
}

// LoopEnds returns: healthy.
func (s *Sender) LoopEnds(ctx context.Context) {
	t := time.NewTimer(time.Second)
	defer t.Stop()
	for {
		select {
		case m := <-s.backlog:
			if err := s.Send(ctx, m); err != nil {
				log.Print(err)
			}
			t.Reset(time.Second)
		case <-t.C:
			log.Print("idle")
			t.Reset(time.Second)
		case <-ctx.Done():
			return
		}
	}
}

// Start starts the loop without an end.
func (s *Sender) Start() {
	go s.Loop(context.Background())
}

// Hook is called for each request and starts a sender for each.
func (s *Sender) Hook(w http.ResponseWriter, r *http.Request) {
	var m Message
	if err := json.NewDecoder(r.Body).Decode(&m); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	go func() { // want goroutine-unbounded
		if err := s.Send(context.Background(), m); err != nil {
			log.Print(err)
		}
	}()
	w.WriteHeader(http.StatusAccepted)
}
