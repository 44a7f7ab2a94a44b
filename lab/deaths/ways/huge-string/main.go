// A column width comes out of a form: eight hundred million blanks are asked for at once.
package main

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"

	_ "example.com/ways/internal/debugport"
	"example.com/ways/internal/visitors"
)

// pad fills a cell up to its width.
//
//go:noinline
func pad(text string, width int) string {
	if len(text) >= width {
		return text
	}
	return text + strings.Repeat(" ", width-len(text))
}

func table(w http.ResponseWriter, r *http.Request) {
	width, _ := strconv.Atoi(r.URL.Query().Get("width"))
	cell := pad("total", width)
	fmt.Fprintf(w, "|%s|\n", cell)
}

func main() {
	mux := http.NewServeMux()
	mux.HandleFunc("/table", table)
	addr := visitors.Serve(mux)
	visitors.Call(addr, 50, func(i int) string {
		if i > 65 {
			return "/table?width=800000000"
		}
		return "/table?width=40"
	})
}
