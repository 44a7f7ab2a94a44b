// Package clienttwins makes clients for others, who give each request a context.
package clienttwins

import "net/http"

// NewClient is given to who sends.
func NewClient(rt http.RoundTripper) *http.Client {
	return &http.Client{Transport: rt} // hint client-no-timeout
}
