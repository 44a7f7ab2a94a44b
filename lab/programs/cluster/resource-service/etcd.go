package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"strings"
	"time"
)

// client reads keys below a prefix through etcd's JSON gateway (etcd.io: "gRPC gateway").
type client struct {
	base, prefix string
	// revision is the newest that was seen; a watch goes on after it.
	revision int64
}

type pair struct {
	Key   []byte `json:"key"`
	Value []byte `json:"value"`
}

// rangeEnd is the first key that does not begin with prefix.
func rangeEnd(prefix string) string {
	end := []byte(prefix)
	end[len(end)-1]++
	return string(end)
}

func (c *client) ask(path string, body any, timeout time.Duration) (*http.Response, error) {
	text, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	client := &http.Client{Timeout: timeout}
	resp, err := client.Post(c.base+path, "application/json", bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		said, _ := io.ReadAll(io.LimitReader(resp.Body, 1000))
		resp.Body.Close()
		return nil, fmt.Errorf("%s: %s %s", path, resp.Status, said)
	}
	return resp, nil
}

func (c *client) span() map[string]any {
	encode := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
	return map[string]any{"key": encode(c.prefix), "range_end": encode(rangeEnd(c.prefix))}
}

func (c *client) loadAll() error {
	resp, err := c.ask("/v3/kv/range", c.span(), 10*time.Second)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	var said struct {
		Header struct {
			Revision int64 `json:"revision,string"`
		} `json:"header"`
		Kvs []pair `json:"kvs"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&said); err != nil {
		return err
	}
	for _, kv := range said.Kvs {
		c.apply(kv)
	}
	c.revision = said.Header.Revision
	return nil
}

// apply hands a value to whoever knows its key. A bad one is reported and the old one stays in use.
func (c *client) apply(kv pair) {
	name := strings.TrimPrefix(string(kv.Key), c.prefix)
	for _, k := range keys {
		if k.name != name {
			continue
		}
		n, err := k.load(kv.Value)
		if err != nil {
			log.Printf("config %s: %v", name, err)
			return
		}
		log.Printf("config %s: %d items, %d bytes", name, n, len(kv.Value))
		return
	}
}

// watch follows changes for ever; a connection that breaks is made anew, and what was missed is read.
func (c *client) watch() {
	for {
		if err := c.follow(); err != nil {
			log.Printf("watching etcd: %v", err)
		}
		time.Sleep(500 * time.Millisecond)
		if err := c.loadAll(); err != nil {
			log.Printf("config: %v", err)
		}
	}
}

func (c *client) follow() error {
	want := c.span()
	want["start_revision"] = c.revision + 1
	resp, err := c.ask("/v3/watch", map[string]any{"create_request": want}, 0)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	answers := json.NewDecoder(resp.Body)
	for {
		var said struct {
			Result struct {
				Events []struct {
					Type string `json:"type"`
					Kv   pair   `json:"kv"`
				} `json:"events"`
			} `json:"result"`
		}
		if err := answers.Decode(&said); err != nil {
			return err
		}
		for _, e := range said.Result.Events {
			if e.Type != "DELETE" {
				c.apply(e.Kv)
			}
		}
		// What it decoded is large, and of no use any more.
		answers = json.NewDecoder(io.MultiReader(answers.Buffered(), resp.Body))
	}
}
