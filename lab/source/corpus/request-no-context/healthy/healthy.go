// What `request-no-context` must not find.
package healthy

import (
	"context"
	"net/http"
	"time"
)

func get(ctx context.Context, c *http.Client, url string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, "GET", url, nil)
	if err != nil {
		return nil, err
	}
	return c.Do(req)
}

func timed(url string) (*http.Response, error) {
	c := &http.Client{Timeout: time.Second}
	req, err := http.NewRequest("GET", url, nil)
	if err != nil {
		return nil, err
	}
	return c.Do(req)
}

func built(url string) (*http.Request, error) {
	return http.NewRequest("GET", url, nil)
}

func recorded(h http.Handler, rec http.ResponseWriter) {
	req, _ := http.NewRequest("GET", "/", nil)
	h.ServeHTTP(rec, req)
}

type maker struct{}

func (maker) NewRequest(a, b string, c any) int { return 0 }

func mine(http maker) int { return http.NewRequest("a", "b", nil) }

func signed(url string) string {
	req, err := http.NewRequest("GET", url, nil)
	if err != nil {
		return ""
	}
	return req.URL.String()
}
