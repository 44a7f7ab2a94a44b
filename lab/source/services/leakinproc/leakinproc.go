// Package leakinproc leaks as a program did before it was mended.
package leakinproc

import (
	"context"
	"errors"
	"io"
)

type message struct {
	data []byte
	err  error
}

type clientStream struct {
	ctx       context.Context
	responses chan message
	last      *message
}

type handler func(ctx context.Context, req []byte, send func([]byte) error) error

type Channel struct {
	handlers map[string]handler
}

func (c *Channel) NewStream(ctx context.Context, method string, req []byte) (*clientStream, error) {
	h, ok := c.handlers[method]
	if !ok {
		return nil, errors.New("unimplemented")
	}
	st := &clientStream{ctx: ctx, responses: make(chan message)}
	go func() {
		defer close(st.responses)
		err := h(ctx, req, func(b []byte) error {
			st.responses <- message{data: b} // miss send-abandoned
			return nil
		})
		if err != nil {
			st.responses <- message{err: err}
		}
	}()
	return st, nil
}

func (s *clientStream) Recv() ([]byte, error) {
	select {
	case m, ok := <-s.responses:
		if !ok {
			return nil, io.EOF
		}
		return m.data, m.err
	case <-s.ctx.Done():
		return nil, s.ctx.Err()
	}
}
