package main

import (
	"net/http"
	"os"
	"path/filepath"
	"strconv"

	"lastgasp.example/lab/cluster/resource-service/serve"
)

// exported is a row of an export.
type exported struct {
	avid   int64
	title  string
	scores [24]float64
}

// exportAll is a path of the service that hardly anybody asks for: as many rows as the request wishes are
// made before the first one is sent.
func exportAll(w http.ResponseWriter, r *http.Request, work *serve.Work) {
	rows, _ := strconv.Atoi(r.URL.Query().Get("rows"))
	if rows < 0 || rows > 10_000_000 {
		http.Error(w, "rows", http.StatusBadRequest)
		return
	}
	all := make([]*exported, 0, 16)
	for i := 0; i < rows; i++ {
		row := &exported{avid: int64(i), title: "video " + strconv.Itoa(i)}
		row.scores[i%24] = 1
		all = append(all, row)
	}
	if err := work.Call(r.Context()); err != nil {
		http.Error(w, err.Error(), http.StatusGatewayTimeout)
		return
	}
	titled := 0
	for _, row := range all {
		if row.title != "" {
			titled++
		}
	}
	work.Answer(w, titled)
}

// files writes a file of ?mb= megabytes, page by page, which stays in the page cache of this instance's group.
func files(folder string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		mb, _ := strconv.Atoi(r.URL.Query().Get("mb"))
		go func() {
			f, err := os.Create(filepath.Join(folder, "export.csv"))
			if err != nil {
				return
			}
			defer f.Close()
			block := make([]byte, 1<<20)
			for i := 0; i < mb && i < 4096; i++ {
				if _, err := f.Write(block); err != nil {
					return
				}
			}
		}()
	}
}
