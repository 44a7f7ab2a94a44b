// What `client-no-timeout` must not find.
package healthy

import (
	"context"
	"io"
	"net/http"
	"time"
)

var client = &http.Client{Timeout: 5 * time.Second}

func fetch(url string) ([]byte, error) {
	resp, err := client.Get(url)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	return io.ReadAll(resp.Body)
}

func withContext(ctx context.Context, url string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	return http.DefaultClient.Do(req)
}

func custom(d time.Duration) *http.Client {
	return &http.Client{Timeout: d, Transport: http.DefaultTransport}
}

func head(c *http.Client, url string) error {
	resp, err := c.Head(url)
	if err != nil {
		return err
	}
	return resp.Body.Close()
}

func transport() http.RoundTripper { return http.DefaultTransport }

type http1 struct{}

func (http1) Get(string) {}

func shadow() {
	http := http1{}
	http.Get("x")
}
