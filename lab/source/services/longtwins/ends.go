package longtwins

import (
	"io"
	"os"
)

// Document is in memory.
type Document struct {
	fields []string
}

// Cursor goes over one.
type Cursor struct {
	at int
}

// Close ends it.
func (c *Cursor) Close() { c.at = -1 }

// Iterator holds nothing.
func (d *Document) Iterator() *Cursor { return &Cursor{} }

// Walk holds iterators in memory until the end.
func Walk(documents []*Document) int {
	n := 0
	for _, d := range documents {
		it := d.Iterator()
		defer it.Close() // hint defer-in-loop
		n += it.at
	}
	return n
}

func closeQuietly(c io.Closer) { _ = c.Close() }

// Sum holds a descriptor for each name until the end.
func Sum(names []string) (int64, error) {
	var sum int64
	for _, name := range names {
		f, err := os.Open(name)
		if err != nil {
			return 0, err
		}
		defer closeQuietly(f) // warn defer-in-loop
		n, err := io.Copy(io.Discard, f)
		if err != nil {
			return 0, err
		}
		sum += n
	}
	return sum, nil
}

// Store opens what it keeps.
type Store interface {
	OpenObject(name string) (io.ReadCloser, error)
}

// Copy holds an object for each name until the end.
func Copy(s Store, w io.Writer, names []string) error {
	for _, name := range names {
		var r io.ReadCloser
		var err error
		r, err = s.OpenObject(name)
		if err != nil {
			return err
		}
		defer func() { // warn defer-in-loop
			_ = r.Close()
		}()
		if _, err := io.Copy(w, r); err != nil {
			return err
		}
	}
	return nil
}
