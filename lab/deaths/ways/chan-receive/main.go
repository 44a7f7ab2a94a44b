// Uploads are handed to a batcher and wait for its receipt. The batcher has ended after a bad one: no receipt comes,
// and every upload holds its picture.
package main

import (
	"errors"
	"time"

	_ "example.com/ways/internal/debugport"
)

type picture struct {
	pixels []uint32
	w, h   int
}

type upload struct {
	pic     *picture
	receipt chan int64
}

type batcher struct{ in chan *upload }

func check(p *picture) error {
	if p.w*p.h != len(p.pixels) {
		return errors.New("not a picture")
	}
	return nil
}

// run ends at the first bad picture, and nobody sees it end.
func (b *batcher) run() error {
	for id := int64(0); ; id++ {
		u := <-b.in
		if err := check(u.pic); err != nil {
			return err
		}
		u.receipt <- id
	}
}

//go:noinline
func receive(w, h int) *picture {
	p := &picture{pixels: make([]uint32, w*h), w: w, h: h}
	for i := range p.pixels {
		p.pixels[i] = uint32(i) | 0xff000000
	}
	return p
}

func (b *batcher) store(p *picture) int64 {
	u := &upload{pic: p, receipt: make(chan int64)}
	b.in <- u
	return <-u.receipt
}

func main() {
	b := &batcher{in: make(chan *upload, 100_000)}
	go b.run()
	serve := func() { b.store(receive(320, 240)) }
	for began := time.Now(); time.Since(began) < 1300*time.Millisecond; time.Sleep(10 * time.Millisecond) {
		go serve()
	}
	b.spoil()
	for {
		go serve()
		time.Sleep(4 * time.Millisecond)
	}
}

// spoil sends the bad one.
func (b *batcher) spoil() {
	b.in <- &upload{pic: &picture{w: 1, h: 1}, receipt: make(chan int64, 1)}
}
