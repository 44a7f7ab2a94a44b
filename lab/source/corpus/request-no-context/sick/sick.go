// What `request-no-context` must find.
package sick

import (
	"io"
	"net/http"
)

func get(url string) (*http.Response, error) {
	req, err := http.NewRequest("GET", url, nil) // want request-no-context
	if err != nil {
		return nil, err
	}
	return http.DefaultClient.Do(req) // want client-no-timeout
}

type api struct{ c *http.Client }

func (a *api) post(url string, body io.Reader) (*http.Response, error) {
	req, err := http.NewRequest(http.MethodPost, url, body) // want request-no-context
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	return a.c.Do(req)
}

func del(c *http.Client, url string) error {
	req, _ := http.NewRequest("DELETE", url, nil) // want request-no-context
	resp, err := c.Do(req)
	if err != nil {
		return err
	}
	return resp.Body.Close()
}

func trip(rt http.RoundTripper, url string) (*http.Response, error) {
	req, err := http.NewRequest("GET", url, nil) // want request-no-context
	if err != nil {
		return nil, err
	}
	return rt.RoundTrip(req)
}

func head(url string) (*http.Response, error) {
	c := new(http.Client) // want client-no-timeout
	r, err := http.NewRequest("HEAD", url, nil) // want request-no-context
	if err != nil {
		return nil, err
	}
	return c.Do(r)
}
