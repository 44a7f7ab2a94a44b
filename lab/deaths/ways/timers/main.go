// Orders that are not paid are to be called off after a day: a timer each, and each holds its order.
package main

import (
	"time"

	_ "example.com/ways/internal/profiled"
)

type order struct {
	id    int
	lines [100]struct {
		sku    [16]byte
		amount int
	}
}

type desk struct{ off int }

func (d *desk) callOff(o *order) { d.off += o.lines[0].amount }

//go:noinline
func (d *desk) place(id int) {
	o := &order{id: id}
	for i := range o.lines {
		o.lines[i].amount = i
	}
	time.AfterFunc(24*time.Hour, func() { d.callOff(o) })
}

func main() {
	d := &desk{}
	time.Sleep(1300 * time.Millisecond)
	for n, began := 0, time.Now(); ; time.Sleep(time.Millisecond) {
		for ; n < int(time.Since(began).Seconds()*26_000); n++ {
			d.place(n)
		}
	}
}
