// Package zerotwins has a client whose timeout is written as none, and one of which nobody thought.
package zerotwins

import "net/http"

// Client sends by either.
type Client struct {
	stream *http.Client
	plain  *http.Client
}

// New makes both.
func New() *Client {
	c := &Client{}
	c.stream = &http.Client{ // hint client-no-timeout
		Timeout:   0,
		Transport: http.DefaultTransport,
	}
	c.plain = &http.Client{Transport: http.DefaultTransport} // warn client-no-timeout
	return c
}

// Watch streams.
func (c *Client) Watch(url string) error {
	resp, err := c.stream.Get(url)
	if err != nil {
		return err
	}
	return resp.Body.Close()
}

// Ask asks.
func (c *Client) Ask(url string) error {
	resp, err := c.plain.Get(url)
	if err != nil {
		return err
	}
	return resp.Body.Close()
}
