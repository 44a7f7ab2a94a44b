// Package serve has what the handlers of all paths share: the memory that a request takes, and the call to
// the service behind.
package serve

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Work is what a request needs.
type Work struct {
	dependency           string
	requestSize, garbage int
	stubborn             bool
	client               *http.Client
}

// NewWork has requests hold so many bytes, throw away as many, and ask the dependency. One that is stubborn
// goes on when its caller has given up.
func NewWork(dependency string, requestSize, garbage int, stubborn bool) *Work {
	transport := &http.Transport{MaxIdleConns: 4000, MaxIdleConnsPerHost: 4000}
	return &Work{dependency, requestSize, garbage, stubborn, &http.Client{Transport: transport, Timeout: 60 * time.Second}}
}

// Call asks the service behind; the caller's locals, and what the request came with, live as long.
func (w *Work) Call(ctx context.Context) error {
	if w.stubborn {
		ctx = context.Background()
	}
	request := w.decodeRequest()
	err := w.askPlayURL(ctx)
	if len(request) > 0 {
		request[len(request)-1]++
	}
	return err
}

// decodeRequest makes what a request holds as long as it lasts, and scratch memory that it does not.
func (w *Work) decodeRequest() []byte {
	scratch := make([]byte, w.garbage)
	for i := 0; i < len(scratch); i += 512 {
		scratch[i] = byte(i)
	}
	request := make([]byte, w.requestSize)
	for i := 0; i < len(request); i += 512 {
		request[i] = byte(i)
	}
	return request
}

func (w *Work) askPlayURL(ctx context.Context) error {
	if w.dependency == "" {
		return nil
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, w.dependency, nil)
	if err != nil {
		return err
	}
	resp, err := w.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("playurl: %s", resp.Status)
	}
	return nil
}

// Answer writes how many were found. A client that went away is not our problem.
func (w *Work) Answer(to http.ResponseWriter, found int) {
	to.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(to).Encode(map[string]int{"found": found})
}

// Aids are the numbers of ?aids=1,2,3.
func Aids(r *http.Request) []int64 {
	var aids []int64
	for _, field := range strings.Split(r.URL.Query().Get("aids"), ",") {
		if aid, err := strconv.ParseInt(field, 10, 64); err == nil {
			aids = append(aids, aid)
		}
	}
	return aids
}

// Items are the ids of a published configuration.
func Items(payload []byte) ([]int64, error) {
	var file struct {
		Items []struct {
			Avid int64 `json:"a"`
		} `json:"items"`
	}
	if err := json.Unmarshal(payload, &file); err != nil {
		return nil, err
	}
	ids := make([]int64, len(file.Items))
	for i, item := range file.Items {
		ids[i] = item.Avid
	}
	return ids, nil
}
