// Uploads are small files; the images in them are not. Each is decoded whole for a preview, as many at a time as come.
package main

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"io"
	"net"
	"net/http"
	"time"

	_ "example.com/ways/internal/profiled"
)

type gallery struct{ previews int }

func picture(side int) []byte {
	m := image.NewNRGBA(image.Rect(0, 0, side, side))
	for y := 0; y < side; y++ {
		for x := 0; x < side; x++ {
			m.SetNRGBA(x, y, color.NRGBA{uint8(y), 3, 7, 200})
		}
	}
	var file bytes.Buffer
	if err := png.Encode(&file, m); err != nil {
		panic(err)
	}
	return file.Bytes()
}

func decode(r io.Reader) (image.Image, error) {
	return png.Decode(r)
}

func brightest(m image.Image, budget time.Duration) (best uint32) {
	b := m.Bounds()
	for began := time.Now(); time.Since(began) < budget; {
		for x := b.Min.X; x < b.Max.X; x++ {
			if r, _, _, _ := m.At(x, x).RGBA(); r > best {
				best = r
			}
		}
	}
	return best
}

func (g *gallery) upload(w http.ResponseWriter, r *http.Request) {
	m, err := decode(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if brightest(m, time.Duration(m.Bounds().Dx())*time.Millisecond) == 0 {
		w.WriteHeader(http.StatusNoContent)
	}
}

func send(url string, file []byte) {
	res, err := http.Post(url, "image/png", bytes.NewReader(file))
	if err == nil {
		io.Copy(io.Discard, res.Body)
		res.Body.Close()
	}
}

func main() {
	small, large := picture(20), picture(1600)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/upload", (&gallery{}).upload)
	go http.Serve(l, mux)
	url := "http://" + l.Addr().String() + "/upload"
	for began := time.Now(); time.Since(began) < 1300*time.Millisecond; time.Sleep(30 * time.Millisecond) {
		send(url, small)
	}
	for {
		go send(url, large)
		time.Sleep(90 * time.Millisecond)
	}
}
