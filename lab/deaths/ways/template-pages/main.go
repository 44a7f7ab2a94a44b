// Every request renders the whole price list through a template into a buffer of its own; requests come faster than
// they are rendered. All of it is allocated by the library.
package main

import (
	"bytes"
	"fmt"
	"net/http"
	"text/template"
	"time"

	_ "example.com/ways/internal/debugport"
	"example.com/ways/internal/visitors"
)

var page = template.Must(template.New("page").Parse(
	`{{range $i, $row := .}}<tr><td>{{$i}}</td><td>{{printf "%08d %s" $row "somethingsomethingsomethingsomethingsomethingsomething"}}</td></tr>{{end}}`))

type site struct{ rows []int }

//go:noinline
func (s *site) renderPage() ([]byte, error) {
	var out bytes.Buffer
	err := page.Execute(&out, s.rows)
	return out.Bytes(), err
}

func (s *site) list(w http.ResponseWriter, r *http.Request) {
	b, err := s.renderPage()
	if err != nil {
		http.Error(w, err.Error(), 500)
		return
	}
	fmt.Fprintln(w, len(b))
}

func main() {
	s := &site{rows: make([]int, 100)}
	mux := http.NewServeMux()
	mux.HandleFunc("/", s.list)
	addr := visitors.Serve(mux)
	time.Sleep(1300 * time.Millisecond)
	s.rows = make([]int, 120_000)
	visitors.Call(addr, 60, func(i int) string { return "/" })
}
