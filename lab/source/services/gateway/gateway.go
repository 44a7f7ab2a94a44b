// Package gateway calls others for each request.
package gateway

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"
)

// Client has no timeout of its own.
type Client struct {
	base string
	hc   *http.Client
}

// New is a client that waits for ever.
func New(base string) *Client {
	return &Client{base: base, hc: &http.Client{Transport: &http.Transport{MaxIdleConns: 100}}}
}

// NewBounded is one that does not.
func NewBounded(base string, timeout time.Duration) *Client {
	hc := &http.Client{}
	hc.Timeout = timeout
	return &Client{base: base, hc: hc}
}

// User is an answer.
type User struct{ Name string }

// User leaves the body open where the status is not 200.
func (c *Client) User(ctx context.Context, id string) (*User, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base+"/users/"+id, nil)
	if err != nil {
		return nil, err
	}
	resp, err := c.hc.Do(req) // want body-not-closed
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("status %d", resp.StatusCode)
	}
	defer resp.Body.Close()
	var u User
	return &u, json.NewDecoder(resp.Body).Decode(&u)
}

// do hands the response to its caller: healthy.
func (c *Client) do(ctx context.Context, path string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base+path, nil)
	if err != nil {
		return nil, err
	}
	resp, err := c.hc.Do(req)
	if err != nil {
		return nil, err
	}
	return resp, nil
}

// Raw closes what do opened.
func (c *Client) Raw(ctx context.Context, path string) ([]byte, error) {
	resp, err := c.do(ctx, path)
	if err != nil {
		return nil, err
	}
	defer func() {
		_, _ = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
	}()
	return io.ReadAll(resp.Body)
}

// RawForgets does not.
func (c *Client) RawForgets(ctx context.Context, path string) (int, error) {
	resp, err := c.do(ctx, path) // want body-not-closed
	if err != nil {
		return 0, err
	}
	return resp.StatusCode, nil
}

// Post uses the default client and no context.
func Post(url string, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	resp, err := http.Post(url, "application/json", bytes.NewReader(b)) // want client-no-timeout
	if err != nil {
		return err
	}
	return resp.Body.Close()
}

// Fan starts a goroutine for each id, without a bound.
func (c *Client) Fan(w http.ResponseWriter, r *http.Request) {
	ids := r.URL.Query()["id"]
	out := make(chan *User)
	for _, id := range ids {
		go func() {
			u, err := c.User(context.Background(), id)
			if err != nil {
				return
			}
			out <- u // want result-channel-read-once
		}()
	}
	select {
	case u := <-out:
		_ = json.NewEncoder(w).Encode(u)
	case <-time.After(50 * time.Millisecond):
		http.Error(w, "timeout", http.StatusGatewayTimeout)
	}
}

// FanBounded is bounded and waits for all: healthy.
func (c *Client) FanBounded(w http.ResponseWriter, r *http.Request) {
	g, ctx := errgroup.WithContext(r.Context())
	g.SetLimit(8)
	ids := r.URL.Query()["id"]
	users := make([]*User, len(ids))
	for i, id := range ids {
		g.Go(func() error {
			u, err := c.User(ctx, id)
			users[i] = u
			return err
		})
	}
	if err := g.Wait(); err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	_ = json.NewEncoder(w).Encode(users)
}

// First asks two and takes the first answer; the channel has room for both: healthy.
func (c *Client) First(ctx context.Context, a, b string) (*User, error) {
	type answer struct {
		u   *User
		err error
	}
	ch := make(chan answer, 2)
	ask := func(id string) {
		u, err := c.User(ctx, id)
		ch <- answer{u, err}
	}
	go ask(a)
	go ask(b)
	select {
	case got := <-ch:
		return got.u, got.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// FirstLeaks has no room.
func (c *Client) FirstLeaks(ctx context.Context, a, b string) (*User, error) {
	ch := make(chan *User)
	errs := make(chan error)
	for _, id := range []string{a, b} {
		go func(id string) {
			u, err := c.User(ctx, id)
			if err != nil {
				errs <- err // want result-channel-read-once
				return
			}
			ch <- u // want result-channel-read-once
		}(id)
	}
	select {
	case u := <-ch:
		return u, nil
	case err := <-errs:
		return nil, err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Ping dials without a timeout and reads without a deadline.
func Ping(addr string) error {
	conn, err := net.Dial("tcp", addr) // want dial-no-timeout
	if err != nil {
		return err
	}
	defer conn.Close()
	if _, err := conn.Write([]byte("PING\r\n")); err != nil {
		return err
	}
	buf := make([]byte, 7)
	n, err := conn.Read(buf) // want conn-no-deadline
	if err != nil {
		return err
	}
	if string(buf[:n]) != "+PONG\r\n" {
		return errors.New("no pong")
	}
	return nil
}

// PingBounded has both.
func PingBounded(ctx context.Context, addr string) error {
	d := net.Dialer{Timeout: time.Second}
	conn, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(time.Second)); err != nil {
		return err
	}
	if _, err := conn.Write([]byte("PING\r\n")); err != nil {
		return err
	}
	buf := make([]byte, 7)
	_, err = io.ReadFull(conn, buf)
	return err
}

// Serve has no timeouts.
func Serve(h http.Handler) error {
	srv := &http.Server{Addr: ":8080", Handler: h} // want server-no-timeout
	return srv.ListenAndServe()
}

// ServeBounded has.
func ServeBounded(h http.Handler) error {
	srv := &http.Server{Addr: ":8080", Handler: h}
	srv.ReadHeaderTimeout = 5 * time.Second
	srv.ReadTimeout = 10 * time.Second
	srv.WriteTimeout = 10 * time.Second
	return srv.ListenAndServe()
}
