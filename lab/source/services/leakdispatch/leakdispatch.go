// Package leakdispatch leaks as a program did before it was mended.
package leakdispatch

import (
	"context"
	"encoding/binary"
	"io"
	"sync"
)

type Provider interface {
	ReadAt(ctx context.Context, p []byte, off int64) (int, error)
}

type Dispatch struct {
	fp    io.ReadWriter
	mu    sync.Mutex
	prov  Provider
	fatal chan error
}

func NewDispatch(fp io.ReadWriter, p Provider) *Dispatch {
	return &Dispatch{fp: fp, prov: p, fatal: make(chan error)}
}

func (d *Dispatch) Handle(ctx context.Context) error {
	head := make([]byte, 28)
	for {
		if _, err := io.ReadFull(d.fp, head); err != nil {
			return err
		}
		off := int64(binary.BigEndian.Uint64(head[16:]))
		length := binary.BigEndian.Uint32(head[24:])
		d.read(ctx, off, length)
		select {
		case err := <-d.fatal:
			return err
		case <-ctx.Done():
			return ctx.Err()
		default:
		}
	}
}

func (d *Dispatch) read(ctx context.Context, off int64, length uint32) {
	go func() {
		buf := make([]byte, length)
		if _, err := d.prov.ReadAt(ctx, buf, off); err != nil {
			d.fatal <- err // miss send-abandoned
			return
		}
		d.mu.Lock()
		defer d.mu.Unlock()
		if _, err := d.fp.Write(buf); err != nil {
			d.fatal <- err // warn lock-held-across-wait
		}
	}()
}
