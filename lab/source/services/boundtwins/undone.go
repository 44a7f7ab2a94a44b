package boundtwins

import (
	"context"
	"errors"
	"net/http"
	"os"

	"example.org/layers"
	"example.org/log"
)

// Rename takes all of it back where one of them fails.
func Rename(list []*layers.Layer, name string) (err error) {
	for _, l := range list {
		old := l.Name()
		if err = l.Rename(name); err != nil {
			break
		}
		defer func() {
			if err != nil {
				_ = l.Rename(old)
			}
		}()
	}
	return err
}

// Options takes out what it has put in.
func Options(list []string, use func(map[string]string)) {
	for _, key := range list {
		options := map[string]string{}
		options[key] = "serial"
		defer delete(options, key)
		use(options)
	}
}

// Import needs what it has of each until all are there.
func Import(list []string) error {
	for _, name := range list {
		ref, err := layers.Get(name)
		if err != nil {
			return err
		}
		defer ref.Release() // hint defer-in-loop
	}
	return nil
}

// Retry tries three times.
func Retry(up func() error, open func() (*os.File, error)) {
	n := 0
	for err := up(); err != nil && n < 3; n++ {
		f, _ := open()
		defer f.Close()
		err = up()
	}
}

// RetryTwin tries until it works.
func RetryTwin(up func() error, open func() (*os.File, error)) {
	for err := up(); err != nil; {
		f, _ := open()
		defer f.Close() // warn defer-in-loop
		err = up()
	}
}

// Handle writes a log: a context for that is asked for a logger.
func Handle(w http.ResponseWriter, r *http.Request, s *layers.Store) {
	log.G(context.TODO()).Info("handled")
	if err := s.Create(context.TODO(), "x"); err != nil { // warn context-not-handed-on
		w.WriteHeader(http.StatusInternalServerError)
	}
}

// Supports asks for heads alone: an answer to that has no body.
func Supports(c *http.Client, url string) bool {
	resp, err := c.Head(url) // hint body-not-closed
	return err == nil && resp.StatusCode == http.StatusOK
}

// Send looks at its error in a switch.
func Send(c *http.Client, req *http.Request) (*http.Response, error) {
	resp, err := c.Do(req)
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return nil, err
	case err == nil:
		return resp, nil
	default:
		return resp, err
	}
}

// SendTwin drops an answer that it does not want.
func SendTwin(c *http.Client, req *http.Request, want int) (*http.Response, error) {
	resp, err := c.Do(req) // warn body-not-closed
	switch {
	case errors.Is(err, context.Canceled), want == 0:
		return nil, err
	default:
		return resp, err
	}
}
