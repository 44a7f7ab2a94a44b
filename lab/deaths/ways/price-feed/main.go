// Depots are valued at the price of the moment, which an exchange is asked for.
package main

import (
	"net"
	"net/http"
	"time"

	_ "example.com/ways/internal/debugport"
)

type holding struct {
	symbol string
	lots   [14]float64
}

type valuer struct{ prices *client }

func (v *valuer) holdings(depot int) []holding {
	all := make([]holding, 2400)
	for i := range all {
		all[i].symbol = "XYZ"
		all[i].lots[i%14] = float64(depot)
	}
	return all
}

func (v *valuer) value(depot int) (sum float64, err error) {
	all := v.holdings(depot)
	q, err := v.prices.quote("XYZ")
	if err != nil {
		return 0, err
	}
	for _, h := range all {
		for _, n := range h.lots {
			sum += n * q.Bid
		}
	}
	return sum, nil
}

func main() {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	go exchange(l, time.Now().Add(1400*time.Millisecond))
	v := &valuer{prices: &client{base: "http://" + l.Addr().String(), http: &http.Client{}}}
	for depot := 0; ; depot++ {
		go v.value(depot)
		time.Sleep(6 * time.Millisecond)
	}
}
