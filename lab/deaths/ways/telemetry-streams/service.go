package main

import "io"

type sample struct {
	seq  uint32
	mean float64
	raw  [6]float64
}

type window struct {
	device  int
	samples []sample
	next    int
}

func newWindow(device, size int) *window {
	w := &window{device: device, samples: make([]sample, size)}
	for i := range w.samples {
		w.samples[i].mean = 1
	}
	return w
}

func (w *window) add(f *frame) {
	w.samples[w.next%len(w.samples)] = sample{seq: f.seq, mean: float64(f.values[0])}
	w.next++
}

type service struct{ window int }

// Report is the method that devices call: it returns when the device hangs up.
func (s *service) Report(device int, wire io.Reader) (int, error) {
	in := newStream(wire)
	w := newWindow(device, s.window)
	for f := range in.frames {
		w.add(f)
	}
	if in.err != io.EOF {
		return w.next, in.err
	}
	return w.next, nil
}
