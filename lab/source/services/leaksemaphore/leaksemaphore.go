// Package leaksemaphore leaks as a program did before it was mended.
package leaksemaphore

import (
	"context"
	"encoding/json"
	"net/http"
	"time"
)

type Fetcher struct {
	slots chan struct{}
	http  *http.Client
}

func New(n int) *Fetcher {
	return &Fetcher{slots: make(chan struct{}, n), http: &http.Client{Timeout: 10 * time.Second}}
}

func (f *Fetcher) Fetch(ctx context.Context, url string, into any) error {
	f.slots <- struct{}{} // warn not-given-back
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := f.http.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	err = json.NewDecoder(resp.Body).Decode(into)
	<-f.slots
	return err
}
