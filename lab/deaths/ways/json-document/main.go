// One document of all customers is decoded into maps and interfaces at once: ten times as large in memory as on the
// wire.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"time"

	_ "example.com/ways/internal/profiled"
)

// export writes an array without end.
func export(w io.WriteCloser) {
	fmt.Fprint(w, "[")
	for i, began := 0, time.Now(); ; time.Sleep(time.Millisecond) {
		for i < int(time.Since(began).Seconds()*60_000) {
			fmt.Fprintf(w, `{"id":%d,"name":"customer","tags":["a","b","c"],"address":{"city":"here","zip":"%05d"}},`, i, i%99999)
			i++
		}
	}
}

type importer struct{ customers []interface{} }

func (im *importer) load(r io.Reader) error {
	dec := json.NewDecoder(r)
	if _, err := dec.Token(); err != nil {
		return err
	}
	for dec.More() {
		var c interface{}
		if err := dec.Decode(&c); err != nil {
			return err
		}
		im.customers = append(im.customers, c)
	}
	return nil
}

func main() {
	time.Sleep(1300 * time.Millisecond)
	r, w := io.Pipe()
	go export(w)
	im := &importer{}
	fmt.Println(im.load(r))
}
