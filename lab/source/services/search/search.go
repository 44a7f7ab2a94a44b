package search

import "context"

type Backend interface {
	Search(q string) []string
}

// First asks all replicas and takes the fastest answer.
func First(ctx context.Context, q string, replicas ...Backend) []string {
	c := make(chan []string)
	for _, r := range replicas {
		go func(r Backend) { c <- r.Search(q) }(r) // warn result-channel-read-once
	}
	return <-c
}
