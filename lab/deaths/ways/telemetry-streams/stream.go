package main

import (
	"encoding/binary"
	"errors"
	"io"
)

var errVersion = errors.New("telemetry: frame of another version")

type frame struct {
	seq    uint32
	values [62]float32
}

// stream is the server's side of one device's call.
type stream struct {
	wire   io.Reader
	frames chan *frame
	err    error
}

func newStream(wire io.Reader) *stream {
	s := &stream{wire: wire, frames: make(chan *frame, 4)}
	go s.decode()
	return s
}

func (s *stream) decode() {
	head := make([]byte, 8)
	for {
		if _, err := io.ReadFull(s.wire, head); err != nil {
			s.err = err
			close(s.frames)
			return
		}
		if binary.BigEndian.Uint32(head) != 2 {
			s.err = errVersion
			return
		}
		s.frames <- &frame{seq: binary.BigEndian.Uint32(head[4:])}
	}
}
