// Package wire compresses what a session sends.
package wire

import (
	"bytes"
	"compress/gzip"
)

// Session is one client's.
type Session struct {
	name string
	out  bytes.Buffer
	zip  *gzip.Writer
	over bool
}

// Open begins one.
func Open(name string) *Session {
	s := &Session{name: name}
	s.zip = gzip.NewWriter(&s.out)
	return s
}

// Send compresses one message.
func (s *Session) Send(message []byte) error {
	if _, err := s.zip.Write(message); err != nil {
		return err
	}
	err := s.zip.Flush()
	s.out.Reset() // it has been sent
	return err
}

// End says that no more will be sent.
func (s *Session) End() error {
	s.over = true
	return s.zip.Close()
}
