// What `client-no-timeout` must find.
package sick

import (
	"io"
	"net/http"
	"net/url"
)

func fetch(url string) ([]byte, error) {
	resp, err := http.Get(url) // want client-no-timeout
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	return io.ReadAll(resp.Body)
}

var client = &http.Client{} // want client-no-timeout

func post(url string, body io.Reader) error {
	resp, err := http.Post(url, "application/json", body) // want client-no-timeout
	if err != nil {
		return err
	}
	return resp.Body.Close()
}

func newAPI(base string) *api {
	return &api{base: base, c: &http.Client{Transport: http.DefaultTransport}} // want client-no-timeout
}

type api struct {
	base string
	c    *http.Client
}

func (a *api) get(path string) (*http.Response, error) {
	return a.c.Get(a.base + path)
}

func ping(url string) bool {
	resp, err := http.DefaultClient.Head(url) // want client-no-timeout
	if err != nil {
		return false
	}
	resp.Body.Close()
	return true
}

func local(url string) error {
	c := http.Client{} // want client-no-timeout
	resp, err := c.Get(url)
	if err != nil {
		return err
	}
	return resp.Body.Close()
}

func form(target string, v url.Values) error {
	resp, err := http.PostForm(target, v) // want client-no-timeout
	if err != nil {
		return err
	}
	return resp.Body.Close()
}
