// Command admin is the admin platform: whoever has the right publishes a configuration with it, and nothing
// restarts and nothing is deployed. It writes into etcd; where it was given the address of a webhook it tells
// that too: the key, its size and the number of its elements.
package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log"
	"math/rand"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:8098", "address to serve on")
	etcd := flag.String("etcd", "", "address of etcd's JSON gateway")
	prefix := flag.String("prefix", "/config/resource-service/", "where keys stand in etcd")
	service := flag.String("service", "resource-service", "service that the keys are of")
	webhook := flag.String("webhook", "", "where to tell of changes (empty: nowhere)")
	tokenFile := flag.String("token-file", "", "file that holds the token for it")
	flag.Parse()
	http.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprint(w, `<!doctype html><title>configuration</title><form method="post" action="/publish"><label>key <input name="key" value="ugctab"></label> <label>ids <input name="count" value="312"></label> <button>Publish</button></form>`)
	})
	http.HandleFunc("/publish", func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost {
			http.Error(w, "POST only", http.StatusMethodNotAllowed)
			return
		}
		key := r.FormValue("key")
		count, err := strconv.Atoi(r.FormValue("count"))
		if err != nil || key == "" || count < 0 || count > 5_000_000 {
			http.Error(w, "key and count are needed", http.StatusBadRequest)
			return
		}
		seed, _ := strconv.ParseInt(r.FormValue("seed"), 10, 64)
		padding, _ := strconv.Atoi(r.FormValue("padding"))
		body := encode(key, count, seed, padding)
		revision, err := put(*etcd, *prefix+key, body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		if *webhook != "" && r.FormValue("quiet") == "" {
			by := r.FormValue("by")
			if by == "" {
				by = "admin"
			}
			if err := tell(*webhook, *tokenFile, *service, key, revision, count, len(body), by); err != nil {
				// Nobody who publishes would notice.
				log.Printf("webhook: %v", err)
			}
		}
		fmt.Fprintf(w, "published key=%s count=%d bytes=%d revision=%s unix_nanos=%d\n", key, count, len(body), revision, time.Now().UnixNano())
	})
	log.Fatal(http.ListenAndServe(*listen, nil))
}

// encode writes a configuration of n distinct ids of six or seven digits: 14 bytes each, so that 230,000 of
// them take the 3.1 MB of the incident; padding adds a text of so many bytes to it.
func encode(name string, n int, seed int64, padding int) []byte {
	const least, most = 100_000, 99_999_999
	rng := rand.New(rand.NewSource(seed + 1))
	seen := make(map[int64]bool, n)
	var b bytes.Buffer
	fmt.Fprintf(&b, `{"name":%q,"items":[`, name)
	top := int64(9_999_999)
	if n > 4_000_000 {
		top = most
	}
	for len(seen) < n {
		id := least + rng.Int63n(top-least+1)
		if seen[id] {
			continue
		}
		if len(seen) > 0 {
			b.WriteByte(',')
		}
		seen[id] = true
		fmt.Fprintf(&b, `{"a":%d}`, id)
	}
	b.WriteString("]")
	if padding > 0 {
		fmt.Fprintf(&b, `,"note":%q`, strings.Repeat("x", padding))
	}
	b.WriteString("}\n")
	return b.Bytes()
}

func put(etcd, key string, value []byte) (string, error) {
	// []byte is base64 in JSON, as the gateway wants it.
	text, err := json.Marshal(map[string][]byte{"key": []byte(key), "value": value})
	if err != nil {
		return "", err
	}
	said, err := post(etcd+"/v3/kv/put", text, "")
	if err != nil {
		return "", err
	}
	var answer struct {
		Header struct {
			Revision string `json:"revision"`
		} `json:"header"`
	}
	if err := json.Unmarshal(said, &answer); err != nil {
		return "", err
	}
	return answer.Header.Revision, nil
}

func tell(webhook, tokenFile, service, key, revision string, count, size int, by string) error {
	token := ""
	if tokenFile != "" {
		text, err := os.ReadFile(tokenFile)
		if err != nil {
			return err
		}
		token = strings.TrimSpace(string(text))
	}
	now := time.Now()
	text, err := json.Marshal(map[string]any{
		"kind": "admin", "key": key, "service": service, "version": revision, "count": count, "bytes": size,
		"at": now.UTC().Format(time.RFC3339Nano), "by": by, "source": "admin-platform",
		"id": fmt.Sprintf("admin-%s-%s", key, revision),
	})
	if err != nil {
		return err
	}
	_, err = post(webhook, text, token)
	return err
}

func post(url string, body []byte, token string) ([]byte, error) {
	req, err := http.NewRequest(http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	client := &http.Client{Timeout: 10 * time.Second}
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	said, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err == nil && resp.StatusCode >= 300 {
		err = fmt.Errorf("%s: %s %s", url, resp.Status, said)
	}
	return said, err
}
