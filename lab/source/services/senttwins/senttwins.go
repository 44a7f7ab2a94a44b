// Package senttwins sends by clients that others have made, or that others send by, and starts goroutines from
// handlers that end by themselves, or do not.
package senttwins

import (
	"net/http"

	"example.org/docker"
	"example.org/httpconfig"
)

// Plugin has a client that the configuration of another module makes, with a timeout or not.
type Plugin struct {
	client *http.Client
	own    *http.Client
	config httpconfig.Config
}

// Init makes both.
func (p *Plugin) Init() error {
	client, err := p.config.CreateClient()
	if err != nil {
		return err
	}
	p.client = client
	p.own = &http.Client{Transport: http.DefaultTransport} // warn client-no-timeout
	return nil
}

// Gather sends by the first.
func (p *Plugin) Gather(url string) error {
	req, err := http.NewRequest(http.MethodGet, url, nil) // hint request-no-context
	if err != nil {
		return err
	}
	resp, err := p.client.Do(req)
	if err != nil {
		return err
	}
	return resp.Body.Close()
}

// Push sends by the second.
func (p *Plugin) Push(url string) error {
	req, err := http.NewRequest(http.MethodPost, url, nil) // warn request-no-context
	if err != nil {
		return err
	}
	resp, err := p.own.Do(req)
	if err != nil {
		return err
	}
	return resp.Body.Close()
}

// Docker hands a client to a library, whose calls take contexts.
func Docker(host string) (*docker.Client, error) {
	hc := &http.Client{Transport: &http.Transport{MaxIdleConns: 2}} // hint client-no-timeout
	return docker.New(host, docker.WithHTTPClient(hc))
}

// Bounded has a transport that bounds it.
func Bounded(url string) (int, error) {
	c := &http.Client{Transport: httpconfig.NewDeadlineTransport(5)} // hint client-no-timeout
	resp, err := c.Get(url)
	if err != nil {
		return 0, err
	}
	return resp.StatusCode, resp.Body.Close()
}

// Audit starts what ends when its work is done.
func Audit(w http.ResponseWriter, r *http.Request) {
	path := r.URL.Path
	go func() { // hint goroutine-unbounded
		httpconfig.Log(path)
	}()
	w.WriteHeader(http.StatusAccepted)
}

// Stream starts what waits for a reader that may not come.
func Stream(w http.ResponseWriter, r *http.Request) {
	lines := make(chan string)
	path := r.URL.Path
	go func() { // warn goroutine-unbounded
		lines <- httpconfig.Read(path)
	}()
	httpconfig.Copy(w, lines)
}
