package main

import (
	"strconv"
	"time"

	"example.com/ways/xlsx-export/xlsx"
)

type booking struct {
	id      int
	guest   string
	room    int
	arrives time.Time
	price   float64
}

// cursor reads bookings one by one, as the database has them.
type cursor struct{ at, count int }

func (c *cursor) next() (b booking, ok bool) {
	if c.at == c.count {
		return b, false
	}
	c.at++
	return booking{id: c.at, guest: "guest " + strconv.Itoa(c.at), room: c.at % 300, price: 99.5}, true
}

type exporter struct{ bookings int }

func (e *exporter) sheet(to *xlsx.Sheet, c *cursor) {
	for {
		b, ok := c.next()
		if !ok {
			return
		}
		row := to.AddRow()
		row.AddCell(b.id)
		row.AddCell(b.guest)
		row.AddCell(b.room)
		row.AddCell(b.arrives)
		row.AddCell(b.price)
		if c.at%256 == 0 {
			time.Sleep(time.Millisecond)
		}
	}
}

func (e *exporter) download(days int) int {
	book := &xlsx.Workbook{}
	e.sheet(book.AddSheet("Bookings"), &cursor{count: e.bookings * days})
	return book.Size()
}
