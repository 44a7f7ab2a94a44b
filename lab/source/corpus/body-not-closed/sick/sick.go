// What `body-not-closed` must find.
package sick

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
)

func status(c *http.Client, url string) (int, error) {
	resp, err := c.Get(url) // want body-not-closed
	if err != nil {
		return 0, err
	}
	return resp.StatusCode, nil
}

func early(c *http.Client, url string) ([]byte, error) {
	resp, err := c.Get(url) // want body-not-closed
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("status %d", resp.StatusCode)
	}
	defer resp.Body.Close()
	return io.ReadAll(resp.Body)
}

func decode(c *http.Client, req *http.Request, v any) error {
	resp, err := c.Do(req) // want body-not-closed
	if err != nil {
		return err
	}
	return json.NewDecoder(resp.Body).Decode(v)
}

func thrown(c *http.Client, url string) error {
	_, err := c.Get(url) // want body-not-closed
	return err
}

func loop(c *http.Client, urls []string) {
	for _, u := range urls {
		resp, err := c.Get(u) // want body-not-closed
		if err != nil {
			continue
		}
		fmt.Println(resp.Status)
	}
}

func readFails(c *http.Client, url string) ([]byte, error) {
	resp, err := c.Get(url) // want body-not-closed
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	resp.Body.Close()
	return data, nil
}

type doer interface {
	Do(*http.Request) (*http.Response, error)
}

func through(d doer, req *http.Request) (string, error) {
	res, err := d.Do(req) // want body-not-closed
	if err != nil {
		return "", err
	}
	return res.Header.Get("ETag"), nil
}
