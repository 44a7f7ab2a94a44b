package main

import (
	"bytes"
	"encoding/binary"
	"io"
)

// peer is another node, and what is being written to it.
type peer struct {
	name string
	conn io.Writer
	out  bytes.Buffer
	sent uint64
}

func (p *peer) send(kind byte, entries []entry) error {
	p.out.Reset()
	p.out.WriteByte(kind)
	var n [8]byte
	for _, e := range entries {
		binary.BigEndian.PutUint64(n[:], e.version)
		p.out.Write(n[:])
		p.out.WriteString(e.key)
		p.out.Write(e.value[:])
	}
	p.sent += uint64(p.out.Len())
	_, err := p.conn.Write(p.out.Bytes())
	return err
}
