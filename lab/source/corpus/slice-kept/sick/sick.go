// What `slice-kept` must find.
package sick

import (
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
)

var a []int

func test(b []int) {
	a = b[:3] // want slice-kept
	return
}

var names = map[string]string{}

func remember(line string) {
	key := line[:8]
	names[key] = line[8:20] // want slice-kept map-only-grows
}

type cache struct {
	mu    sync.Mutex
	heads map[string][]byte
	last  []byte
	parts []string
}

func (c *cache) head(name string) error {
	data, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	c.mu.Lock()
	c.heads[name] = data[:16] // want slice-kept map-only-grows
	c.mu.Unlock()
	return nil
}

func (c *cache) add(body string) {
	c.mu.Lock()
	c.parts = append(c.parts, body[4:10]) // want slice-kept append-never-cleared
	c.mu.Unlock()
}

type entry struct{ id []byte }

var entries []entry

func record(packet []byte) {
	entries = append(entries, entry{id: packet[2:6]}) // want slice-kept append-never-cleared
}

var title string

func parse(doc string) {
	end := strings.Index(doc, "\n")
	title = doc[:end] // want slice-kept
}

func (c *cache) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	c.last = body[:10] // want slice-kept
}
