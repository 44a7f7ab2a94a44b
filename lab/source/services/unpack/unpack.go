// Command unpack fetches an archive, unpacks it, and ends.
package main

import (
	"archive/tar"
	"io"
	"log"
	"net/http"
	"os"
)

func do(url string) error {
	resp, err := http.Get(url) // hint client-no-timeout
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	r := tar.NewReader(resp.Body)
	for {
		h, err := r.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		f, err := os.Create(h.Name)
		if err != nil {
			return err
		}
		defer f.Close() // hint defer-in-loop
		if _, err := io.Copy(f, r); err != nil {
			return err
		}
	}
}

func main() {
	if err := do(os.Args[1]); err != nil {
		log.Fatal(err)
	}
}
