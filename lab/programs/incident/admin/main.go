// Command admin is the admin platform of the lab: it publishes the
// configuration which resource-service picks up. Nothing restarts and nothing
// is deployed when it does, and that is why nobody suspected it.
//
//	admin publish -config FILE -ids N [-seed S] [-size-only]
//	admin serve   -config FILE [-listen ADDR]      POST /publish?ids=N
package main

import (
	"bytes"
	"flag"
	"fmt"
	"log"
	"math/rand"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// Ids have six or seven digits, so that an item takes 14 bytes and 230,000 of
// them the 3.1 MB (3.2 million bytes) of the incident.
const (
	minID = 100_000
	maxID = 9_999_999
)

func main() {
	log.SetFlags(0)
	if len(os.Args) < 2 {
		log.Fatal("usage: admin publish|serve [flags]")
	}
	fs := flag.NewFlagSet("admin "+os.Args[1], flag.ExitOnError)
	config := fs.String("config", "ugctab.json", "file to publish")
	seed := fs.Int64("seed", 1, "the same seed gives the same ids; fewer ids are a prefix of more")
	switch os.Args[1] {
	case "publish":
		ids := fs.Int("ids", 312, "how many ids")
		sizeOnly := fs.Bool("size-only", false, "only print how large the file would be")
		fs.Parse(os.Args[2:])
		body, err := encode(*ids, *seed)
		if err != nil {
			log.Fatal(err)
		}
		if *sizeOnly {
			fmt.Println(len(body))
			return
		}
		if err := publish(*config, body); err != nil {
			log.Fatal(err)
		}
		report(os.Stdout, *config, *ids, len(body))
	case "serve":
		listen := fs.String("listen", "127.0.0.1:8098", "address to serve on")
		fs.Parse(os.Args[2:])
		log.Printf("admin platform on http://%s/", *listen)
		log.Fatal(http.ListenAndServe(*listen, handler(*config, *seed)))
	default:
		log.Fatalf("admin: unknown command %q", os.Args[1])
	}
}

// encode writes the configuration of n distinct ids.
func encode(n int, seed int64) ([]byte, error) {
	if n < 0 || n > (maxID-minID)/2 {
		return nil, fmt.Errorf("admin: -ids %d is out of range", n)
	}
	rng := rand.New(rand.NewSource(seed))
	seen := make(map[int64]bool, n)
	var b bytes.Buffer
	b.WriteString(`{"name":"ugctab","items":[`)
	for len(seen) < n {
		id := minID + rng.Int63n(maxID-minID+1)
		if seen[id] {
			continue
		}
		if len(seen) > 0 {
			b.WriteByte(',')
		}
		seen[id] = true
		fmt.Fprintf(&b, `{"a":%d}`, id)
	}
	b.WriteString("]}\n")
	return b.Bytes(), nil
}

// publish replaces the file in one step: a reader sees the old content or the
// new one, never a part.
func publish(path string, body []byte) error {
	tmp, err := os.CreateTemp(filepath.Dir(path), ".publish-*")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name()) // fails, as it should, once it was renamed
	if _, err = tmp.Write(body); err == nil {
		if err = tmp.Chmod(0o644); err == nil {
			err = tmp.Sync()
		}
	}
	if cerr := tmp.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return err
	}
	return os.Rename(tmp.Name(), path)
}

func report(w interface{ Write([]byte) (int, error) }, path string, ids, size int) {
	fmt.Fprintf(w, "published ids=%d bytes=%d unix_nanos=%d file=%s\n", ids, size, time.Now().UnixNano(), path)
}

func handler(config string, seed int64) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprint(w, `<!doctype html><title>ugctab</title><form method="post" action="/publish">
<label>ids <input name="ids" value="312"></label> <button>Publish</button></form>
`)
	})
	mux.HandleFunc("/publish", func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost {
			http.Error(w, "POST only", http.StatusMethodNotAllowed)
			return
		}
		ids, err := strconv.Atoi(r.FormValue("ids"))
		if err != nil {
			http.Error(w, "ids: "+err.Error(), http.StatusBadRequest)
			return
		}
		body, err := encode(ids, seed)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		if err := publish(config, body); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		report(w, config, ids, len(body))
	})
	return mux
}
