// Package sdktwins hands clients to modules that send by them with contexts of their own.
package sdktwins

import (
	"net/http"

	"example.org/cloud"
)

// Open hands one to what the module's own function gave.
func Open(region string) *cloud.Session {
	config := cloud.NewConfig()
	config.WithRegion(region)
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConns = 4
	config.WithHTTPClient(&http.Client{Transport: transport}) // hint client-no-timeout
	return cloud.NewSession(config)
}
