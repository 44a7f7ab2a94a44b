// What `body-not-closed` must not find.
package healthy

import (
	"fmt"
	"io"
	"net/http"
)

func get(c *http.Client, url string) ([]byte, error) {
	resp, err := c.Get(url)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	return io.ReadAll(resp.Body)
}

func handed(c *http.Client, url string) (*http.Response, error) {
	resp, err := c.Get(url)
	if err != nil {
		return nil, err
	}
	return resp, nil
}

func body(c *http.Client, url string) (io.ReadCloser, error) {
	resp, err := c.Get(url)
	if err != nil {
		return nil, err
	}
	return resp.Body, nil
}

func closure(c *http.Client, url string) error {
	resp, err := c.Get(url)
	if err != nil {
		return err
	}
	defer func() {
		io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
	}()
	return nil
}

func explicit(c *http.Client, url string) (int, error) {
	resp, err := c.Get(url)
	if err != nil {
		return 0, err
	}
	code := resp.StatusCode
	resp.Body.Close()
	if code > 299 {
		return code, fmt.Errorf("status %d", code)
	}
	return code, nil
}

func helper(c *http.Client, url string) error {
	resp, err := c.Get(url)
	if err != nil {
		return err
	}
	defer drain(resp)
	return nil
}

func drain(resp *http.Response) { resp.Body.Close() }

func ok(c *http.Client, url string) bool {
	resp, err := c.Get(url)
	if err == nil {
		resp.Body.Close()
		return true
	}
	return false
}

func checked(c *http.Client, url string) error {
	resp, err := c.Get(url)
	if resp != nil {
		defer resp.Body.Close()
	}
	return err
}
