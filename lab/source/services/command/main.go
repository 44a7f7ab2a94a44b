// Command command makes some files and ends.
package main

import (
	"flag"
	"io"
	"log"
	"os"
)

func main() {
	flag.Parse()
	for _, name := range flag.Args() {
		if err := copyTo(name, name+".bak"); err != nil {
			log.Fatal(err)
		}
	}
}

func copyTo(from, to string) error {
	src, err := os.Open(from) // hint file-not-closed
	if err != nil {
		return err
	}
	dst, err := os.Create(to) // hint file-not-closed
	if err != nil {
		return err
	}
	if _, err := io.Copy(dst, src); err != nil {
		return err
	}
	return dst.Close()
}
