package main

import (
	"encoding/json"
	"net/http"
)

type quote struct {
	Symbol   string
	Bid, Ask float64
}

type client struct {
	base string
	http *http.Client
}

func (c *client) quote(symbol string) (q quote, err error) {
	res, err := c.http.Get(c.base + "/quote/" + symbol)
	if err != nil {
		return q, err
	}
	defer res.Body.Close()
	err = json.NewDecoder(res.Body).Decode(&q)
	return q, err
}
