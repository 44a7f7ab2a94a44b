package boundtwins

import (
	"context"
	"fmt"
	"net/http"
	"sort"

	"example.org/metrics"
	"example.org/web"
)

// Service serves users, and who runs it.
type Service struct {
	promServer  *http.Server
	debugServer *http.Server
	userServer  *http.Server
}

// New has three ports.
func New(users, metrics, debug http.Handler) *Service {
	s := &Service{}
	s.userServer = &http.Server{Handler: users}   // warn server-no-timeout
	s.promServer = &http.Server{Handler: metrics} // hint server-no-timeout
	s.debugServer = &http.Server{Handler: debug}  // hint server-no-timeout
	return s
}

// RunMetrics serves metrics alone, with a handler that is made elsewhere.
func RunMetrics(port int) error {
	mux := http.NewServeMux()
	mux.Handle("/metrics", metrics.Handler())
	server := &http.Server{Addr: fmt.Sprintf(":%d", port), Handler: mux} // hint server-no-timeout
	return server.ListenAndServe()
}

// RunUsers serves more.
func RunUsers(port int, all http.Handler) error {
	mux := http.NewServeMux()
	mux.Handle("/orders", all)
	server := &http.Server{Addr: fmt.Sprintf(":%d", port), Handler: mux} // warn server-no-timeout
	return server.ListenAndServe()
}

// RunWeb leaves it to another module.
func RunWeb() error {
	server := &http.Server{} // hint server-no-timeout
	return web.ListenAndServe(server)
}

// Open is given the transport, which may give up by itself.
func Open(url string, rt http.RoundTripper) (*http.Response, error) {
	client := &http.Client{Transport: rt} // hint client-no-timeout
	return client.Get(url)
}

// OpenTwin has none.
func OpenTwin(url string) (*http.Response, error) {
	client := &http.Client{} // warn client-no-timeout
	return client.Get(url)
}

// Tasks has work of its own, which is begun anew with each configuration.
type Tasks struct{ cancel context.CancelFunc }

// Configure begins it: what ends it is kept.
func (t *Tasks) Configure(ctx context.Context) {
	if t.cancel != nil {
		t.cancel()
	}
	ctx, t.cancel = context.WithCancel(context.Background()) // hint context-not-handed-on
	go t.run(ctx)
}

func (t *Tasks) run(ctx context.Context) { <-ctx.Done() }

// Logout tells another service, which has to know in any case.
func Logout(w http.ResponseWriter, r *http.Request) {
	resp, err := http.Get("http://sessions/logout") // warn client-no-timeout // hint context-not-handed-on
	if err != nil {
		return
	}
	defer resp.Body.Close()
	w.WriteHeader(resp.StatusCode)
}

// Revalidate has a response, or an error, or neither.
func Revalidate(c *http.Client, req *http.Request) error {
	resp, err := c.Do(req)
	if err != nil || resp == nil {
		return err
	}
	return resp.Body.Close()
}

// RevalidateTwin leaves it open where it is not wanted.
func RevalidateTwin(c *http.Client, req *http.Request, wanted bool) error {
	resp, err := c.Do(req) // warn body-not-closed
	if err != nil || !wanted {
		return err
	}
	return resp.Body.Close()
}

// Index remembers a part of what it is asked with.
type Index struct {
	prefix map[string][]int
	name   map[string]string
}

// Container keeps two of a handful.
func (x *Index) Container(w http.ResponseWriter, r *http.Request, ref []int, name string) {
	x.prefix[name] = ref[:2]  // hint slice-kept // want map-only-grows
	x.name["last"] = name[:2] // warn slice-kept
}

// Ready tells how the parts do.
func (x *Index) Ready(w http.ResponseWriter, r *http.Request) {
	details := make(map[string]int) // hint make-without-size
	for part, n := range x.parts() {
		details[part] = n // hint rebuilt-per-request
	}
	names := make([]string, 0, len(details))
	for part := range details {
		names = append(names, part)
	}
	sort.Strings(names)
	fmt.Fprintln(w, names)
}

func (x *Index) parts() map[string]int { return nil }
